"""Kills the real service at random and between any two of its writes while people ask, and counts what they saw.

Weather comes on top: a full disk, a database that others hold, a network that is cut, a clock that is moved.
"""

import asyncio
import random
import resource
import socket
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.fate import MOMENTS, set_clock
from tests.chaos.nursery import Life, Nursery
from tests.chaos.people import OnSlack, OnTelegram, OnTheWeb, Person, talks
from tests.chaos.platforms import Platforms
from tests.chaos.report import Report

START_S, PATIENCE_S = 90.0, 240.0  # the machine may be busy
LIFE = 4.0  # a life that does not end at a chosen point lasts up to so many times what its start took
CLOCK_S = 2 * 24 * 3600.0  # the clock is moved by at most so much, to either side
TELL_S = 20.0  # seconds between two lines about the progress
KILLS = ("at random", "at random", "while starting", "before a write", "after a write", *MOMENTS)
STORMS = ("disk full", "database busy", "network cut", "clock moved")

CONFIG = """
[core.engine]
model = "demo"
threads = 1
cache = "{folder}/cache"
cache_limit = 0.2
[core.quota]
questions_per_minute = 0
questions_per_day = 0
pictures_per_minute = 0
at_once = 0
[storage]
url = "sqlite+aiosqlite:///{folder}/answers.db"
[bots.log]
level = "WARNING"
[bots.web]
port = {port}
"""


@dataclass(frozen=True)
class Plan:
    """`conversations` are of all doors together, two questions each; `faults` and `storms` are shares, of calls and of
    lives; every message arrives up to `copies` times."""

    kills: int = 1000
    conversations: int = 500
    doors: Sequence[str] = ("telegram", "slack", "web")
    faults: float = 0.2
    copies: int = 3
    storms: float = 0.3
    at_once: int = 12  # conversations with a question that is not answered
    seed: int = 1


class Storm:
    """The fake platforms, lives of the service between them, and who dies when."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self._folder = folder
        self._plan = plan
        self._dice = random.Random(plan.seed)
        self._report = Report()
        self._people: list[tuple[Person, Sequence[str]]] = []
        self._asking: dict[Person, asyncio.Task[None]] = {}
        self._cramped: set[Life] = set()  # those that met a full disk
        self._told = 0.0
        self._start_s = 1.0  # of the last start that was seen to its end; how fast the machine is just now
        self._port = _free_port()
        self._url = f"http://127.0.0.1:{self._port}"

    async def blow(self) -> Report:
        """A calm day first, which tells what the answers are; then the kills, with people asking all the time."""
        async with Platforms(self._plan.doors, self._dice) as self._platforms, Nursery() as self._nursery:
            self._prepare()
            self._life = await self._start(None)
            await self._until_ready()
            self._expected = await self._calm_day()
            began = time.monotonic()
            self._platforms.faults = self._plan.faults
            self._life.kill()
            await self._life.ended
            self._weather = asyncio.create_task(asyncio.sleep(0))
            while (kills := self._report.kills.total()) < self._plan.kills:
                await self._live((kills + 1) * self._plan.conversations // self._plan.kills)
                self._tell(began)
            await self._weather
            self._life = await self._start(None)
            await self._ask(self._plan.conversations)
            await self._settle()
            self._life.kill()
            self._report.seconds = time.monotonic() - began
            self._count()
        return self._report

    def _prepare(self) -> None:
        self._clock = self._folder / "clock"
        set_clock(self._clock, 0)
        text = CONFIG.format(folder=self._folder, port=self._port)
        (self._folder / "config.toml").write_text(text + self._platforms.tables, "utf-8")

    # People

    def _person(self, door: str, number: int) -> Person:
        match door:
            case "telegram":
                return OnTelegram(self._platforms.telegram, number)
            case "slack":
                return OnSlack(self._platforms.slack, number)
        return OnTheWeb(self._url, number)

    async def _calm_day(self) -> dict[tuple[str, int], list[str]]:
        """Door and talk -> the answers."""
        people = {
            (door, index): self._person(door, -1 - index) for door in self._plan.doors for index in range(len(talks()))
        }
        async with asyncio.timeout(PATIENCE_S):
            for (_, index), person in people.items():
                await person.ask(talks()[index], 1)
            while not all(_is_complete(person, talks()[index].questions) for (_, index), person in people.items()):
                self._check_alive()
                await asyncio.sleep(0.1)
        return {key: person.answers() for key, person in people.items()}

    async def _ask(self, count: int) -> None:
        """Until so many conversations have begun, or this life is over; nobody begins while too many wait."""
        plan = self._plan
        async with asyncio.timeout(PATIENCE_S):
            while (number := len(self._people)) < count and not self._life.ended.done():
                if len(self._open()) >= plan.at_once:
                    await asyncio.sleep(0.05)
                    continue
                door = plan.doors[number % len(plan.doors)]
                index = self._dice.randrange(len(talks()))
                person = self._person(door, number)
                self._people.append((person, self._expected[door, index]))
                work = person.ask(talks()[index], self._dice.randint(1, plan.copies))
                self._asking[person] = asyncio.create_task(work)

    def _open(self) -> list[Person]:
        """Who still waits for an answer."""
        waiting = [(person, expected) for person, expected in self._people if person in self._asking]
        for person, expected in waiting:
            if self._asking[person].done() and _is_complete(person, expected):
                self._asking.pop(person).result()
        return list(self._asking)

    # The service

    async def _start(self, moment: str | None) -> Life:
        fate: dict[str, object] = {"clock": str(self._clock)}
        if moment in MOMENTS:
            fate |= {"moment": moment, "writes": self._dice.randint(1, 25)}
        return await self._nursery.bear("run", "--config", str(self._folder / "config.toml"), fate=fate)

    async def _live(self, conversations: int) -> None:
        """One life from its start to its kill, in which the conversations become so many."""
        moment = self._dice.choice(KILLS)
        self._life = await self._start(moment)
        if self._weather.done() and self._dice.random() < self._plan.storms:
            self._weather = asyncio.create_task(self._bad_weather())
        if moment == "while starting":
            await asyncio.sleep(self._dice.uniform(0, self._start_s))
        else:
            await self._until_ready()
            await self._ask(conversations)
            await self._wait_for_death(moment)
        self._life.kill()
        status = await self._life.ended
        if status == 2 and self._life in self._cramped:
            return  # with a full disk it cannot start, and says so
        if status != -9:
            raise self._strange_end()
        self._report.kills[moment] += 1

    async def _wait_for_death(self, moment: str) -> None:
        if moment.endswith("a write"):
            writes = self._dice.randint(1, 6)
            self._platforms.on_write = lambda: self._on_write(moment, writes)
        await asyncio.wait({self._life.ended}, timeout=self._dice.uniform(0, LIFE * self._start_s))
        self._platforms.on_write = lambda: None

    def _on_write(self, moment: str, left: int) -> None:
        """Just before the platform does what it was asked to, or as soon as it has."""
        if left > 1:
            self._platforms.on_write = lambda: self._on_write(moment, left - 1)
            return
        delay = 0.0 if moment == "before a write" else self._dice.uniform(0, 0.02)
        life = self._life
        if delay:
            asyncio.get_running_loop().call_later(delay, life.kill)
        else:
            life.kill()
        self._platforms.on_write = lambda: None

    async def _until_ready(self) -> None:
        """The page is served once the model is loaded."""
        began = time.monotonic()
        async with asyncio.timeout(START_S):
            while not self._life.ended.done():
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self._port)
                    writer.close()
                    self._start_s = time.monotonic() - began
                    return
                await asyncio.sleep(0.03)

    def _check_alive(self) -> None:
        if self._life.ended.done():
            raise self._strange_end()

    def _strange_end(self) -> RuntimeError:
        return RuntimeError(f"the service ended with {self._life.ended.result()}: {''.join(self._nursery.words)}")

    # Weather

    async def _bad_weather(self) -> None:
        """Begins at any moment of a life and may last longer than it."""
        kind = self._dice.choice(STORMS)
        self._report.weather[kind] += 1
        await asyncio.sleep(self._dice.uniform(0, 1))
        seconds = self._dice.uniform(0.1, 1)
        match kind:
            case "disk full":
                await self._fill_disk(seconds)
            case "database busy":
                await asyncio.to_thread(self._hold_database, seconds)
            case "network cut":
                await self._platforms.cut_network()
                await asyncio.sleep(seconds)
                await self._platforms.mend_network()
            case "clock moved":
                set_clock(self._clock, self._dice.uniform(-CLOCK_S, CLOCK_S))

    async def _fill_disk(self, seconds: float) -> None:
        """No file of the service can take another byte: what a full disk is to a process."""
        life = self._life
        self._cramped.add(life)
        for limit, pause in ((0, seconds), (resource.RLIM_INFINITY, 0.0)):
            if not life.ended.done():
                with suppress(ProcessLookupError):
                    resource.prlimit(life.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            await asyncio.sleep(pause)

    def _hold_database(self, seconds: float) -> None:
        """Somebody else writes for a while, a backup for example."""
        with suppress(sqlite3.OperationalError):
            connection = sqlite3.connect(self._folder / "answers.db", timeout=1)
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
            connection.rollback()
            connection.close()

    # The end

    async def _settle(self) -> None:
        """Until everybody has their answers, or nothing has come for a long time."""
        loop = asyncio.get_running_loop()
        known, since = -1, loop.time()
        while (waiting := len(self._open())) and loop.time() - since < PATIENCE_S:
            self._check_alive()
            if waiting != known:
                known, since = waiting, loop.time()
            await asyncio.sleep(0.2)
        await asyncio.sleep(3)  # a second answer would come now
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)

    def _count(self) -> None:
        for person, expected in self._people:
            self._report.judge(person, expected)
        self._report.calls, self._report.faults = self._platforms.calls, self._platforms.failed
        self._report.slowest_ack_s = max(self._platforms.slack.acks, default=0.0)

    def _tell(self, began: float) -> None:
        """A line now and then, for whoever waits."""
        now, kills = time.monotonic(), max(1, self._report.kills.total())
        if now - max(began, self._told) < TELL_S:
            return
        self._told = now
        waiting, asked = len(self._open()), len(self._people)
        text = f"{kills} kills, {(now - began) / kills:.2f} s each; {asked - waiting} of {asked} conversations answered"
        print(text, file=sys.stderr, flush=True)


def _is_complete(person: Person, expected: Sequence[str]) -> bool:
    return len(person.answers()) >= len(expected)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
