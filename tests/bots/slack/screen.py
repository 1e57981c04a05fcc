"""Shows a thread as Slack would: `python -m tests.bots.slack.screen FILE.png [en|zh]` has the demo model answer."""

import asyncio
import base64
import html
import sys
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt

from core.engine import Config as EngineConfig
from core.engine.engine import Engine
from storage.store import Config as StoreConfig
from storage.store import Store
from tests.bots.slack.conftest import Scene
from tests.bots.slack.server import FakeSlack
from tests.bots.slack.workspace import BOT, Json, Workspace, buttons, said
from tests.bots.web.browser import started
from tests.demo import sample

STYLE = """
body { margin: 0; padding: 16px; width: 520px; background: #fff; color: #1d1c1d; font: 15px/1.46 "Lato", "Noto Sans",
  "Noto Sans CJK SC", "WenQuanYi Micro Hei", sans-serif; }
.m { display: flex; gap: 10px; margin-bottom: 14px; } .i { flex: 0 0 36px; height: 36px; border-radius: 6px;
  background: #4a154b; color: #fff; font-weight: 700; text-align: center; line-height: 36px; }
.i.me { background: #2eb67d; } .n { font-weight: 800; } .t { min-width: 0; overflow-wrap: anywhere; }
.t p, .t pre { margin: 2px 0; } .t pre, .t code { background: #f6f6f6; color: #c0143c; font-size: 13px; }
.t table { border-collapse: collapse; } .t td, .t th { border: 1px solid #ddd; padding: 2px 8px; }
.t img { display: block; max-width: 360px; border: 1px solid #ddd; border-radius: 8px; margin-top: 4px; }
.b { display: inline-block; border: 1px solid #bbb; border-radius: 4px; padding: 3px 12px; margin: 6px 6px 0 0;
  font-weight: 700; font-size: 13px; } .f { border: 1px solid #ddd; border-radius: 8px; padding: 8px 12px; }
"""
ASKED = {
    "en": ("What is the price?", "Where is the price?", "pictures"),
    "zh": ("价格是多少？", "价格在哪里？", "图片"),
}
DM = "D0ANN"


def page(messages: list[Json], workspace: Workspace) -> str:
    shown = "".join(_message(message, workspace) for message in messages)
    return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{shown}"


def _message(message: Json, workspace: Workspace) -> str:
    by_bot = message["user"] == BOT
    name, mark = ("Picture answers", "") if by_bot else ("Ann", " me")
    text = MarkdownIt("commonmark").enable("table").render(said(message)) if by_bot else html.escape(message["text"])
    files = "".join(_file(file, workspace) for file in message.get("files", ()))
    row = "".join(f"<span class=b>{html.escape(button['text']['text'])}</span>" for button in buttons(message))
    body = f"<div class=t><span class=n>{name}</span><div>{text}{files}</div>{row}</div>"
    return f"<div class=m><div class='i{mark}'>{name[0]}</div>{body}</div>"


def _file(file: Json, workspace: Workspace) -> str:
    if not file["name"].endswith(".png"):
        return f"<div class=f>📄 {html.escape(file['name'])}</div>"
    data = file["data"] if "data" in file else workspace.contents[file["id"]]
    return f"<img src='data:image/png;base64,{base64.b64encode(data).decode()}'>"


async def converse(scene: Scene, language: str) -> list[Json]:
    """A thread with what comes with its answers."""
    price, where, listed = ASKED[language]
    scene.slack.workspace.locales["U0ANN"] = language
    photo = scene.slack.says(price, (scene.slack.upload(sample("product"), "product.png"),), channel=DM)
    count = len(await scene.finished(photo, channel=DM))
    scene.slack.says(where, channel=DM, thread=photo)
    count = len(await scene.finished(photo, count + 1, DM))
    scene.slack.says(listed, channel=DM, thread=photo)
    await scene.finished(photo, count + 2, DM)
    return [m for m in scene.slack.workspace.channels[DM] if photo in (m["ts"], m.get("thread_ts"))]


async def main(path: Path, language: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = await Engine.start(EngineConfig(model="demo", threads=1, cache=Path(folder) / "cache", cache_limit=0))
        store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{folder}/answers.db"))
        async with FakeSlack() as slack:
            scene = Scene(slack, store, engine, patience_s=300)
            async with scene.bot(receipt=True):
                messages = await converse(scene, language)
            async with started() as browser:
                view = await browser.new_page(viewport={"width": 552, "height": 600}, device_scale_factor=2)
                await view.set_content(page(messages, slack.workspace))
                await view.screenshot(path=path, full_page=True)
        await store.close()
        await engine.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "en"))
