"""Run the bot for tests: real SDK, real store and a scripted engine, in front of our own Bot API server."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PilImage
from starlette.routing import Router

from bots import web
from bots.conversing.health import Health
from bots.conversing.services import Services
from bots.telegram import worker
from bots.telegram.config import TelegramConfig
from bots.telegram.rate_limit import RateLimit
from bots.telegram.service import serve
from core.assistant import Assistant, Engine
from core.leases import Leases
from core.quota import QuotaConfig
from core.single_replica import SingleReplica
from storage.store import Store, StoreConfig
from tests.bots.conftest import shorten_pauses
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import TOKEN, BotApi
from tests.bots.telegram.world import Json
from tests.fakes import ScriptedEngine

PLACEHOLDERS = ("One moment …", "请稍候 …")  # before an answer

SECRET = "a-secret-of-the-tests"
PATIENCE_S = 120.0  # the machine may be busy


def photo(colour: str = "red", size: tuple[int, int] = (64, 48), kind: str = "JPEG") -> bytes:
    data = io.BytesIO()
    PilImage.new("RGB", size, colour).save(data, kind)
    return data.getvalue()


async def until(true: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    async with asyncio.timeout(patience_s):
        while not true():
            await asyncio.sleep(0.01)


def store_config(folder: Path, ratings: bool) -> StoreConfig:
    return StoreConfig(url=f"sqlite+aiosqlite:///{folder / 'answers.db'}", ratings=ratings)


async def quiet(telegram: BotApi, folder: Path) -> None:
    """Wait until everything that was sent is processed."""
    await until(lambda: telegram.unconfirmed == 0)
    store = await Store.open(store_config(folder, False))
    while await store.unfinished("telegram"):
        await asyncio.sleep(0.01)
    await store.close()


@asynccontextmanager
async def service(
    telegram: BotApi,
    folder: Path,
    engine: Engine,
    pause_s: float = 0.02,
    ratings: bool = False,
    health: Health | None = None,
    webhook: bool = False,
    page: Json | None = None,
    leases_of: Callable[[Store], Leases] = lambda store: SingleReplica(),
    **settings: Any,
) -> AsyncIterator[asyncio.Task[None]]:
    """Run the adapter over a store in `folder`. Leaving the block ends it like a shutdown.

    With `webhook` Telegram posts the updates to the web page's server, and repeats each until it is accepted.
    """
    values = {"token": TOKEN, "api_url": telegram.url, "allow": "*", "receipt": False, **settings}
    store = await Store.open(store_config(folder, ratings))
    no_limits = QuotaConfig(questions_per_minute=0, questions_per_day=0, pictures_per_minute=0, at_once=0)
    assistant = Assistant(engine, store, quota=no_limits)
    rate_limit = RateLimit(pause_s=pause_s, group_per_minute=20 if pause_s >= 1 else 1000)
    routes, leases = Router(redirect_slashes=False), leases_of(store)
    services = Services(assistant, store, extra_routes=routes, health=health or Health(), leases=leases)
    tasks: list[asyncio.Task[None]] = []
    if webhook:
        values |= {"mode": "webhook", "webhook_url": "https://bot.example.org/hook", "webhook_secret": SECRET}
        values |= settings
        listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        tasks.append(asyncio.create_task(web.run(web.Config(port=0, **(page or {})), services, listening.set_result)))
        telegram.posts_to = await listening
        tasks.append(asyncio.create_task(telegram.post_updates()))
    task = asyncio.create_task(serve(TelegramConfig.model_validate(values), services, rate_limit), name="telegram")
    try:
        yield task
    finally:
        for each in (task, *tasks):
            each.cancel()
        await asyncio.gather(task, *tasks, return_exceptions=True)
        await store.close()


class Chatting:
    """A person in a chat with a running bot."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.chat = person.chat

    async def answers(self, question: Json, count: int = 1) -> list[Json]:
        """Return the bot's messages to a question, once they are finished."""
        await until(lambda: len(self._finished(question)) >= count)
        return self._finished(question)

    async def answer(self, question: Json) -> str:
        return str((await self.answers(question))[0]["text"])

    def _finished(self, question: Json) -> list[Json]:
        return [m for m in self.chat.answers_to(question["message_id"]) if is_finished(m)]


def is_finished(message: Json) -> bool:
    """Return whether a message is neither a placeholder nor a growing text. Those have a Stop button."""
    markup = message.get("reply_markup", {"inline_keyboard": [[{"callback_data": ""}]]})
    return markup["inline_keyboard"][0][0]["callback_data"] != "stop" and message.get("text") not in PLACEHOLDERS


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the time that words wait for what may belong to them, and the pauses between attempts."""
    monkeypatch.setattr(worker, "COMMENT_WAIT_SECONDS", 0.02)
    shorten_pauses(monkeypatch)


@pytest.fixture
async def telegram() -> AsyncIterator[BotApi]:
    async with BotApi(strict=False) as server:
        yield server


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture(params=["polling", "webhook"])
async def reached(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[BotApi]:
    """Run the bot as `running` does, once for each way in."""
    async with service(telegram, tmp_path, engine, webhook=request.param == "webhook"):
        yield telegram


@pytest.fixture
async def running(telegram: BotApi, engine: ScriptedEngine, tmp_path: Path) -> AsyncIterator[BotApi]:
    async with service(telegram, tmp_path, engine):
        yield telegram


@pytest.fixture
def ann(telegram: BotApi) -> Chatting:
    """Return Ann in a private chat."""
    return Chatting(Person(telegram, telegram.world.chat(7)))
