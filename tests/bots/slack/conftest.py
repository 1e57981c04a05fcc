"""A Slack of our own, a real store, a scripted engine, and the bot between them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PilImage
from starlette.routing import Router

from bots import web
from bots.conversing.health import Health
from bots.conversing.services import Services
from bots.slack import Config, run
from core.assistant import Assistant
from core.conversation import Conversation
from storage.store import Store, StoreConfig
from tests.bots.conftest import shorten_pauses
from tests.bots.slack.server import FakeSlack
from tests.bots.slack.workspace import APP_TOKEN, BOT, BOT_TOKEN, SECRET, Json, buttons, said
from tests.fakes import ScriptedEngine

Start = Callable[..., AbstractAsyncContextManager[None]]
LONG = "\n\n".join(f"**Part {n}.** " + "A-sentence-that-goes-on-for-a-while. " * 12 for n in range(12))


def png(colour: str = "red", size: tuple[int, int] = (64, 48)) -> bytes:
    data = BytesIO()
    PilImage.new("RGB", size, colour).save(data, "PNG")
    return data.getvalue()


def says(text: str) -> Callable[[Conversation], str]:
    """A script for the engine."""
    return lambda _: text


def settings(slack: FakeSlack, **changes: Any) -> Config:
    values = {"bot_token": BOT_TOKEN, "app_token": APP_TOKEN, "allow": ["*"], "api_url": slack.api_url}
    return Config.model_validate({**values, "interval_seconds": 0.02, "pace_seconds": 0.0, "receipt": False, **changes})


@dataclass
class Scene:
    """What a test needs: what people do, and what they see then."""

    slack: FakeSlack
    store: Store
    engine: Any
    patience_s: float = 120.0  # for an answer; the machine may be busy
    health: Health = field(default_factory=Health)

    def ask(self, text: str = "what is it?") -> str:
        """A mention with a picture; returns its ts, which is its thread's."""
        return self.slack.says(f"<@{BOT}> {text}", (self.slack.upload(png()),))

    @asynccontextmanager
    async def bot(self, **changes: Any) -> AsyncIterator[asyncio.Task[None]]:
        """The bot over Socket Mode, connected."""
        async with self.bot_in_background(**changes) as task:
            connected = asyncio.create_task(self.slack.connected())
            await asyncio.wait({task, connected}, return_when=asyncio.FIRST_COMPLETED)
            connected.cancel()
            yield task

    @asynccontextmanager
    async def bot_in_background(self, **changes: Any) -> AsyncIterator[asyncio.Task[None]]:
        config = settings(self.slack, **changes)
        services = Services(Assistant(self.engine, self.store), self.store, health=self.health)
        task = asyncio.create_task(run(config, services))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @asynccontextmanager
    async def bot_over_http(self, **changes: Any) -> AsyncIterator[None]:
        """The bot behind the web adapter, which carries its route."""
        router, ready = Router(redirect_slashes=False), asyncio.Event()

        def listening(address: str) -> None:
            self.slack.http_url = f"{address}/slack/events"
            ready.set()

        services = Services(Assistant(self.engine, self.store), self.store, extra_routes=router, health=self.health)
        serving = asyncio.create_task(web.run(web.Config(port=0), services, listening))
        await ready.wait()
        config = settings(self.slack, app_token=None, signing_secret=SECRET, **changes)
        task = asyncio.create_task(run(config, services))
        try:
            while not router.routes and not task.done():
                await asyncio.sleep(0.01)
            yield
        finally:
            task.cancel()
            serving.cancel()
            await asyncio.gather(task, serving, return_exceptions=True)

    async def finished(
        self, thread: str, count: int = 1, channel: str = "C0GENERAL", patient: bool = True
    ) -> list[Json]:
        """The bot's messages in a thread, once nothing is waiting and `count` of them stand there whole.

        `patient` waits for placeholders to go.
        """
        async with asyncio.timeout(self.patience_s):
            while True:
                await self.slack.settled()
                waiting = await self.store.unfinished("slack")
                found = self.slack.workspace.answers(channel, thread)
                done = not waiting and not (patient and "…" in map(said, found))
                if done and len(found) >= count:
                    return found
                await asyncio.sleep(0.01)

    async def answer(self, thread: str, channel: str = "C0GENERAL") -> str:
        return said((await self.finished(thread, channel=channel))[-1])

    async def button(self, thread: str, action: str, channel: str = "C0GENERAL") -> tuple[Json, Json]:
        """The first button of that kind in a thread, as soon as it is there, and its message."""
        async with asyncio.timeout(self.patience_s):
            while True:
                for message in self.slack.workspace.answers(channel, thread):
                    for button in buttons(message):
                        if button["action_id"] == action:
                            return button, message
                await asyncio.sleep(0.01)

    async def window(self) -> Json:
        """The one that the bot opened."""
        async with asyncio.timeout(self.patience_s):
            while not self.slack.workspace.views:
                await asyncio.sleep(0.01)
        return self.slack.workspace.views[-1]


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pauses between attempts."""
    shorten_pauses(monkeypatch)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{tmp_path}/answers.db"))
    async with FakeSlack() as slack:
        yield Scene(slack, store, ScriptedEngine())
    await store.close()
