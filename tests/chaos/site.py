"""The real service with the demo model, between the fake platforms: one life of it after the other."""

import asyncio
import random
import sqlite3
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from bots.conversing.readiness import LOADING
from tests.bots.slack.workspace import BOT_TOKEN
from tests.bots.telegram.server import TOKEN
from tests.chaos.noise import SECRETS
from tests.chaos.nursery import Life, Nursery
from tests.chaos.on_slack import OnSlack
from tests.chaos.on_telegram import OnTelegram
from tests.chaos.on_the_web import OnTheWeb
from tests.chaos.people import Book, Person, talks
from tests.chaos.platforms import Platforms
from tests.ports import free_port

TAKEN = "question taken by the web"
START_S = 300.0  # the machine may be busy

CONFIG = """
[core.engine]
model = "demo"
threads = 1
cache = "{folder}/cache"
cache_limit_gb = 0.2
{engine}
[core.quota]
questions_per_minute = 0
questions_per_day = {a_day}
pictures_per_minute = 0
at_once = {at_once}
[storage]
url = "{database}"
ratings = true
[bots.log]
level = "INFO"
[bots.web]
port = {port}
"""


def attentive_nursery() -> Nursery:
    """One that hears what must not be in a log."""
    asked = {question for talk in talks() for question in talk.questions}
    return Nursery((*SECRETS, TOKEN, BOT_TOKEN, *asked))


class Site:
    """`engine` and `tables` are lines for the config file, of [core.engine] and at its end; `life` is the latest. A
    person may have `at_once` questions, and so many `a_day`; 0 is any number. A `nursery` that is given is entered by
    whoever gives it."""

    life: Life

    def __init__(
        self,
        folder: Path,
        platforms: Sequence[str],
        dice: random.Random,
        engine: str = "",
        tables: str = "",
        at_once: int = 0,
        nursery: Nursery | None = None,
        a_day: int = 0,
    ) -> None:
        self.folder = folder
        self.platforms = Platforms(platforms, dice)
        self.log: Path | None = None  # where the service writes to instead of the nursery's `words`
        self.nursery = nursery or attentive_nursery()
        self._bears = nursery is None  # at a nursery of its own
        self.nursery.spilled.clear()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start_s = 1.0  # of the last start that was seen to its end; how fast the machine is just now
        self.transports: dict[str, str] = {}
        self._dice = dice
        self.engine = engine
        self._tables = tables
        self._at_once = at_once
        self._a_day = a_day

    async def __aenter__(self) -> "Site":
        self._stack = AsyncExitStack()
        await self._stack.enter_async_context(self.platforms)
        if self._bears:
            await self._stack.enter_async_context(self.nursery)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    async def start(self, fate: dict[str, Any] | None = None) -> None:
        """Each life gets its events by transports of its own."""
        self.transports = self.platforms.draw(self._dice)
        self.config.write_text(
            self.settings(self.folder, self.port, f"sqlite+aiosqlite:///{self.folder}/answers.db"), "utf-8"
        )
        self.life = await self.nursery.bear("run", "--config", str(self.config), fate=fate, out=self.log)

    def settings(self, folder: Path, port: int, database: str) -> str:
        """The config file of a service."""
        limits = {"at_once": self._at_once, "a_day": self._a_day}
        text = CONFIG.format(folder=folder, port=port, database=database, engine=self.engine, **limits)
        return text + self.platforms.tables(self.url, self.transports) + self._tables

    async def end(self) -> int:
        """Kill it, if it still lives; returns how it ended."""
        self.life.kill()
        return await self.life.wait()

    async def until_ready(self) -> None:
        """Or dead. Its port is open before the model is loaded; afterwards it may be ready or in trouble."""
        began = time.monotonic()
        async with (
            asyncio.timeout(START_S),
            httpx.AsyncClient(base_url=self.url, timeout=START_S, trust_env=False, verify=False) as client,
        ):
            while not self.life.ended.done():
                with suppress(httpx.TransportError):
                    if not (await client.get("/readyz")).text.startswith(LOADING):
                        self.start_s = time.monotonic() - began
                        return
                await asyncio.sleep(0.03)

    async def metrics(self) -> dict[str, float]:
        """What /metrics says: a name with its labels -> a number."""
        async with httpx.AsyncClient(base_url=self.url, timeout=60, trust_env=False) as client:
            lines = (await client.get("/metrics")).text.splitlines()
        found = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(number) for name, _, number in found}

    async def owes_nothing(self) -> bool:
        """Whether every event was acknowledged, and whatever was written down is finished."""
        if any(self.platforms.unheard.values()):
            return False
        try:
            with closing(sqlite3.connect(f"file:{self.folder / 'answers.db'}?mode=ro", uri=True)) as database:
                return database.execute("SELECT 1 FROM messages WHERE finished IS NULL").fetchone() is None
        except sqlite3.OperationalError:  # it is not there yet, or busy: who knows
            return False

    def check_alive(self) -> None:
        if self.life.ended.done():
            raise self.strange_end()

    def strange_end(self) -> RuntimeError:
        return RuntimeError(f"the service ended with {self.life.ended.result()}: {''.join(self.nursery.words)}")

    def person(self, platform: str, number: int, kind: str, book: Book, dice: random.Random, copies: int = 1) -> Person:
        match platform:
            case "telegram":
                telegram, is_untold = self.platforms.telegram, self.platforms.is_untold
                return OnTelegram(telegram, number, kind, book, dice, copies, is_untold)
            case "slack":
                return OnSlack(self.platforms.slack, number, kind, book, dice, copies)
        taken = partial(self.platforms.step, TAKEN)
        return OnTheWeb(self.url, number, kind, book, dice, copies, taken)
