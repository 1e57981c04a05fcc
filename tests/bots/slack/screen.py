"""A thread as Slack would show it, for `tests.bots.stills`."""

import base64
import html

from markdown_it import MarkdownIt

from tests.bots.slack.workspace import BOT, Json, Workspace, buttons, said

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
  font-weight: 700; font-size: 13px; } .f { border: 1px solid #ddd; border-radius: 8px; padding: 10px 12px; }
.f b { background: #1d8f5f; color: #fff; border-radius: 4px; padding: 3px 5px; font-size: 11px; margin-right: 6px; }
"""
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
        name = html.escape(file["name"])
        return f"<div class=f><b>{name.rpartition('.')[2].upper()}</b> {name}</div>"
    data = file["data"] if "data" in file else workspace.contents[file["id"]]
    return f"<img src='data:image/png;base64,{base64.b64encode(data).decode()}'>"
