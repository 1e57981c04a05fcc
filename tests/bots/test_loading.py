"""The port opens before the model is there. What is asked meanwhile waits for it and is answered."""

import asyncio
import os
import random
import re
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from playwright.async_api import FilePayload, expect

from core.answer import Answer, Ending
from core.conversation import Conversation
from core.errors import Busy, ModelLoading
from core.events import Tell
from core.image import Image
from core.loading_engine import LoadingEngine
from core.sampling import Sampling
from tests.bots.slack.workspace import BOT, said
from tests.bots.telegram.conftest import is_finished, until
from tests.bots.telegram.person import Person
from tests.bots.web.browser import needs_chromium, started, visit
from tests.bots.web.conftest import photo
from tests.chaos.platforms import Platforms
from tests.fakes import ScriptedEngine
from tests.ports import free_port

pytestmark = pytest.mark.timeout(600)
ROOT = Path(__file__).parents[2]
SLOW = """
import time, sys
from pathlib import Path
from core.engine import engine
Model = engine.Model

def slowly(*arguments):
    progress = arguments[-1]
    progress(0.25)
    go = Path(sys.argv[-1]).with_name("go")
    while not go.exists():
        time.sleep(0.01)
    if go.read_text() == "break":
        raise MemoryError("no memory at all")
    return Model(*arguments)

engine.Model = slowly
from bots.__main__ import cli
cli()
"""


@asynccontextmanager
async def loading(folder: Path, port: int = 0, tables: str = "") -> AsyncIterator[tuple[Process, str]]:
    """A service that loads its model once there is a file `go`, and the page's address."""
    config, log = folder / "config.toml", folder / "log"
    config.write_text(
        f'[bots.web]\nport = {port}\n[storage]\nurl = "sqlite+aiosqlite:///{folder}/answers.db"\n'
        f'[core.engine]\nmodel = "demo"\ncache = "{folder}/cache"\n{tables}',
        "utf-8",
    )
    command = [sys.executable, "-c", SLOW, "run", "--config", str(config)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with log.open("wb") as out:
        service = await asyncio.create_subprocess_exec(*command, cwd=folder, env=environment, stderr=out)
    try:
        while (found := re.search(r"the page is at (\S+)", log.read_text("utf-8"))) is None:
            assert service.returncode is None, log.read_text("utf-8")
            await asyncio.sleep(0.05)
        yield service, found[1]
    finally:
        if service.returncode is None:
            service.kill()
        await service.wait()


async def test_the_page_answers_before_the_model_is_there_and_loses_no_question(tmp_path: Path) -> None:
    async with loading(tmp_path) as (_, url), httpx.AsyncClient(base_url=url, timeout=300, trust_env=False) as client:
        assert (await client.get("/healthz")).status_code == 200
        while "25 %" not in (ready := await client.get("/readyz")).text:
            assert ready.status_code == 503 and ready.text.startswith("loading\n")
            await asyncio.sleep(0.05)
        assert (ready.status_code, ready.text) == (503, "loading\nThe model is being loaded: 25 %.\n")
        assert 'id="loading"' in (await client.get("/", headers={"Accept": "text/html"})).text
        assert (await client.head("/")).status_code == 200
        assert (await client.head("/readyz")).status_code == 503
        assert "picture_answers" in (await client.get("/metrics")).text
        assert (await client.get("/admin")).status_code == 200
        (tmp_path / "go").touch()
        files = {"image": ("p.png", photo(), "image/png")}
        answered = await client.post("/api/v1/analyze", data={"query": "What is it?"}, files=files)
        assert answered.status_code == 200 and answered.json()["text"]
        assert (await client.get("/readyz")).text == "ok\n"


async def test_what_chats_ask_by_webhook_while_the_model_loads_is_stored_and_answered_by_the_next_start(
    tmp_path: Path,
) -> None:
    """The first start is ended before the model is there; the platforms repeat nothing, for they were thanked."""
    port = free_port()
    async with Platforms(("telegram", "slack"), random.Random(1)) as platforms:
        tables = platforms.tables(f"http://127.0.0.1:{port}", {"telegram": "webhook", "slack": "HTTP"})
        ann = Person(platforms.telegram, platforms.telegram.world.chat(7))
        async with loading(tmp_path, port, tables) as (service, _):
            ann.shows(photo(), "What is it?")
            thread = platforms.slack.says(f"<@{BOT}> what is it?", (platforms.slack.upload(photo()),))
            await until(lambda: platforms.telegram.posted and not platforms.unheard["telegram"], 300)
            await platforms.slack.settled()
            async with httpx.AsyncClient(timeout=300, trust_env=False) as client:
                assert (await client.get(f"http://127.0.0.1:{port}/readyz")).text.startswith("loading\n")
            service.terminate()
            assert await service.wait() == 0
        deliveries = len(platforms.telegram.posted), len(platforms.slack.acks)
        (tmp_path / "go").touch()
        async with loading(tmp_path, port, tables):
            await until(lambda: [said for said in ann.chat.by_bot() if is_finished(said)], 300)
            await until(lambda: _finished(platforms, thread), 300)
        assert (len(platforms.telegram.posted), len(platforms.slack.acks)) == deliveries


def _finished(platforms: Platforms, thread: str) -> bool:
    answers = platforms.slack.workspace.answers("C0GENERAL", thread)
    return any(said(each) and not platforms.slack.workspace.is_open(each["ts"]) for each in answers)


@needs_chromium
async def test_the_page_says_how_far_the_model_is_loaded_and_answers_what_was_asked_meanwhile(tmp_path: Path) -> None:
    async with (
        loading(tmp_path) as (_, url),
        started() as browser,
        visit(browser, url) as page,
        visit(browser, url, locale="zh-CN") as chinese,
    ):
        await expect(page.locator("#loading")).to_have_text(
            "The model is loading: 25 %. You can ask already, and are answered then."
        )
        await expect(chinese.locator("#loading")).to_have_text(
            "模型正在加载：25 %。您现在就可以提问，加载好后即会回答。"
        )
        await page.locator("#files").set_input_files(FilePayload(name="p.png", mimeType="image/png", buffer=photo()))
        await expect(page.locator("#attached li")).to_have_count(1)
        await page.locator("#question").fill("What is it?")
        await page.locator("#question").press("Enter")
        await expect(page.locator(".turn")).to_have_count(1)
        (tmp_path / "go").touch()
        await expect(page.locator("#loading")).to_be_hidden()
        await expect(chinese.locator("#loading")).to_be_hidden()
        await expect(page.locator(".prose")).not_to_be_empty()


async def test_a_model_that_cannot_be_loaded_ends_the_service_with_its_reason(tmp_path: Path) -> None:
    async with loading(tmp_path) as (service, _):
        (tmp_path / "go").write_text("break", "utf-8")
        assert await service.wait() == 2
    assert "There is too little memory to load the model (no memory at all)." in (tmp_path / "log").read_text("utf-8")


async def test_what_is_asked_while_the_model_loads_waits_and_what_is_forgotten_is_forgotten_then() -> None:
    engine, loaded, go = LoadingEngine(max_waiting=2), _Engine(), asyncio.Event()

    async def start(progress: object) -> "_Engine":
        await go.wait()
        return loaded

    loads = asyncio.create_task(engine.load(start))
    with pytest.raises(ModelLoading):
        engine.check()
    asked = asyncio.create_task(engine.answer(Conversation("c"), Sampling(), lambda event: None))
    given_up = asyncio.create_task(engine.answer(Conversation("c"), Sampling(), lambda event: None))
    engine.forget("web:1", ["image"])
    engine.keep_only([], [])
    await engine.encode_ahead(Image("i", b"", 1, 1, (1, 1)))
    await asyncio.sleep(0)
    with pytest.raises(Busy, match="Too many questions are waiting already"):
        await engine.answer(Conversation("c"), Sampling(), lambda event: None)
    given_up.cancel()
    await asyncio.wait([given_up])
    again = asyncio.create_task(engine.answer(Conversation("c"), Sampling(), lambda event: None))
    await asyncio.sleep(0)
    go.set()
    await loads
    assert (await asked).text == (await again).text == "here"
    assert loaded.told == [("forget", "web:1")]
    engine.check()
    engine.forget("web:2", [])
    assert loaded.told == [("forget", "web:1"), ("forget", "web:2")]


class _Engine(ScriptedEngine):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, str | None]] = []

    async def answer(self, conversation: Conversation, sampling: Sampling, tell: Tell) -> Answer:
        return Answer("here", Ending.DONE)

    def forget(self, conversation_id: str | None, image_ids: object) -> None:
        self.told.append(("forget", conversation_id))

    def keep_only(self, conversation_ids: object, image_ids: object) -> None:
        self.told.append(("keep_only", None))

    def check(self) -> None:
        pass

    async def ended(self) -> None:
        pass

    def stats(self) -> None:
        pass

    async def close(self) -> None:
        pass
