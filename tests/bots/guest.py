"""Describe a person on any platform. Each platform's folder has its own implementation."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import httpx

from bots import web
from bots.conversing.health import Health
from bots.conversing.services import Services
from core.assistant import Assistant
from core.engine.engine import Engine
from core.model.description import ModelDescription
from core.pictures.images import ImagesConfig
from core.quota import QuotaConfig
from core.sampling import Sampling
from storage.store import Store, StoreConfig

UNLIMITED = QuotaConfig(questions_per_minute=0, questions_per_day=0, pictures_per_minute=0, at_once=0)


@dataclass(frozen=True, slots=True)
class Sent:
    """A file as people send it."""

    name: str
    kind: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is on the platform after a question or a press. `handle` is the platform's own.

    `files` are by name, including drawn pictures; `states` are all texts that were shown on the way.
    """

    words: str
    buttons: tuple[str, ...] = ()
    files: dict[str, bytes] = field(default_factory=dict)
    states: tuple[str, ...] = ()
    handle: object = None


@dataclass(frozen=True, slots=True)
class Script:
    """What people say on every platform, in one language. Commands are each platform's own."""

    question: str
    more: str
    edited: str
    length: str
    chatter: tuple[str, ...]


class Guest(Protocol):
    """A person at one platform, in one conversation at a time.

    Each method returns when what was asked for is there, complete.
    """

    async def ask(self, text: str, *files: Sent) -> Seen: ...

    async def press(self, seen: Seen, button: str) -> Seen:
        """Press a button under an answer."""
        ...

    async def pictures(self) -> Seen:
        """List the conversation's pictures with numbers, with a sheet of them where the platform has one."""
        ...

    async def remove(self, number: int) -> Seen: ...

    async def export(self) -> bytes:
        """Export the conversation as a zip file."""
        ...

    async def rate(self, seen: Seen, good: bool) -> None: ...

    async def edit(self, text: str) -> Seen:
        """Give the last question other words."""
        ...

    async def sets(self, name: str, value: str) -> str:
        """Change a setting of the conversation, and return how all are now."""
        ...

    async def mentioned_by(self, who: str, text: str, file: Sent) -> str:
        """Let a bot, a workflow or a channel mention our bot, and return what ours says there."""
        ...

    def shown(self) -> tuple[str, ...]:
        """Return the texts that were shown until now on the way to answers, also to the one that is being written."""
        ...

    def marks(self) -> tuple[int, int]:
        """Return how many messages have a reaction of the bot now, and how many ever had one."""
        ...


@dataclass(frozen=True, slots=True)
class Home:
    """Services whose page is at `address`."""

    services: Services
    store: Store
    address: str

    async def admin(self) -> str:
        """Return the operator's page as HTML."""
        async with httpx.AsyncClient(base_url=self.address, trust_env=False, timeout=60) as client:
            return (await client.get("/admin")).text


@asynccontextmanager
async def opened(
    engine: Engine,
    folder: Path,
    images: ImagesConfig,
    platform: str,
    model: ModelDescription = ModelDescription(),
    sampling: Sampling = Sampling(),
) -> AsyncIterator[Home]:
    """Open services with ratings, without quotas, and with the page on a free port."""
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{folder / 'answers.db'}", ratings=True))
    assistant = Assistant(engine, store, sampling, quota=UNLIMITED)
    health = Health()
    health.mark_working(platform)
    services = Services(assistant, store, images, engine.stats, health=health, model=model)
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(web.run(web.Config(port=0), services, listening.set_result))
    try:
        yield Home(services, store, await listening)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await store.close()
