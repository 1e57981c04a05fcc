"""Kills the real service at random and between any two of its writes while people ask, and counts what they saw.

Weather comes on top: a full disk, a database that others hold, a network that is cut, a clock that is moved, and
a polite word to end.
"""

import asyncio
import random
import resource
import signal
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.fate import MOMENTS, set_clock
from tests.chaos.nursery import Life
from tests.chaos.people import Person, talks
from tests.chaos.report import Report
from tests.chaos.site import Site

PATIENCE_S = 240.0  # seconds without any progress; the machine may be busy
LIFE = 4.0  # a life that does not end at a chosen point lasts up to so many times what its start took
CLOCK_S = 2 * 24 * 3600.0  # the clock is moved by at most so much, to either side
TELL_S = 20.0  # seconds between two lines about the progress
KILLS = ("at random", "at random", "while starting", "before a write", "after a write", *MOMENTS)
STORMS = ("disk full", "database busy", "network cut", "clock moved", "asked to end")
CANNOT_WORK = 2  # exit status of a service that said why
ENDED = (130, -signal.SIGTERM)  # of one that was asked to; the latter before it could listen


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
    talks: int = 6  # different ones
    seed: int = 1


class Storm:
    """Who asks, who dies when, and what the weather is."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self._folder = folder
        self._plan = plan
        self._dice = random.Random(plan.seed)
        self._talks = talks()[: plan.talks]
        self._report = Report()
        self._people: list[tuple[Person, Sequence[str]]] = []
        self._asking: dict[Person, asyncio.Task[None]] = {}
        self._cramped: set[Life] = set()  # those that met a full disk
        self._asked_to_end: set[Life] = set()
        self._told = 0.0

    async def blow(self) -> Report:
        """A calm day first, which tells what the answers are; then the kills, with people asking all the time."""
        plan, report = self._plan, self._report
        self._clock = self._folder / "clock"
        set_clock(self._clock, 0)
        async with Site(self._folder, plan.doors, self._dice) as self._site:
            self._expected = await self._calm_day()
            began = time.monotonic()
            self._site.platforms.faults = plan.faults
            self._weather = asyncio.create_task(asyncio.sleep(0))
            while (kills := report.kills.total()) < plan.kills:
                await self._live((kills + 1) * plan.conversations // plan.kills)
                self._tell(began)
            await self._weather
            await self._start(None)
            await self._ask(plan.conversations)
            await self._settle()
            await self._site.end()
            report.seconds = time.monotonic() - began
            self._count()
        return report

    # People

    async def _calm_day(self) -> dict[tuple[str, int], list[str]]:
        """Door and talk -> the answers."""
        await self._start(None)
        await self._site.until_ready()
        doors, count = self._plan.doors, len(self._talks)
        people = {(door, index): self._site.person(door, -1 - index) for door in doors for index in range(count)}
        for (_, index), person in people.items():
            await person.ask(self._talks[index], 1)
        async with asyncio.timeout(PATIENCE_S):
            while not all(_is_complete(person, self._talks[index].questions) for (_, index), person in people.items()):
                self._site.check_alive()
                await asyncio.sleep(0.1)
        await self._site.end()
        return {key: person.answers() for key, person in people.items()}

    async def _ask(self, count: int) -> None:
        """Until so many conversations have begun, or this life is over; nobody begins while too many wait."""
        plan = self._plan
        async with asyncio.timeout(PATIENCE_S):
            while (number := len(self._people)) < count and not self._site.life.ended.done():
                if len(self._open()) >= plan.at_once:
                    await asyncio.sleep(0.05)
                    continue
                door = plan.doors[number % len(plan.doors)]
                index = self._dice.randrange(len(self._talks))
                person = self._site.person(door, number)
                self._people.append((person, self._expected[door, index]))
                work = person.ask(self._talks[index], self._dice.randint(1, plan.copies))
                self._asking[person] = asyncio.create_task(work)

    def _open(self) -> list[Person]:
        """Who still waits for an answer."""
        waiting = [(person, expected) for person, expected in self._people if person in self._asking]
        for person, expected in waiting:
            if self._asking[person].done():
                self._asking[person].result()  # who could not ask says why
                if _is_complete(person, expected):
                    del self._asking[person]
        return list(self._asking)

    # The service

    async def _start(self, moment: str | None) -> None:
        fate: dict[str, object] = {"clock": str(self._clock)}
        if moment in MOMENTS:
            fate |= {"moment": moment, "writes": self._dice.randint(1, 25)}
        await self._site.start(fate)

    async def _live(self, conversations: int) -> None:
        """One life from its start to its kill, in which the conversations become so many."""
        moment = self._dice.choice(KILLS)
        await self._start(moment)
        if self._weather.done() and self._dice.random() < self._plan.storms:
            self._weather = asyncio.create_task(self._bad_weather())
        if moment == "while starting":
            await asyncio.sleep(self._dice.uniform(0, self._site.start_s))
        else:
            await self._site.until_ready()
            await self._ask(conversations)
            await self._wait_for_death(moment)
        status = await self._site.end()
        if status == CANNOT_WORK and self._site.life in self._cramped:
            return  # with a full disk it cannot start, and says so
        if status in ENDED and self._site.life in self._asked_to_end:
            return
        if status != -9:
            raise self._site.strange_end()
        self._report.kills[moment] += 1

    async def _wait_for_death(self, moment: str) -> None:
        if moment.endswith("a write"):
            writes = self._dice.randint(1, 6)
            self._site.platforms.on_write = lambda: self._on_write(moment, writes)
        await asyncio.wait({self._site.life.ended}, timeout=self._dice.uniform(0, LIFE * self._site.start_s))
        self._site.platforms.on_write = lambda: None

    def _on_write(self, moment: str, left: int) -> None:
        """Just before the platform does what it was asked to, or as soon as it has."""
        if left > 1:
            self._site.platforms.on_write = lambda: self._on_write(moment, left - 1)
            return
        self._site.platforms.on_write = lambda: None
        if moment == "before a write":
            self._site.life.kill()
        else:
            asyncio.get_running_loop().call_later(self._dice.uniform(0, 0.02), self._site.life.kill)

    # Weather

    async def _bad_weather(self) -> None:
        """Begins at any moment of a life and may last longer than it."""
        kind = self._dice.choice(STORMS)
        self._report.weather[kind] += 1
        await asyncio.sleep(self._dice.uniform(0, 2 * self._site.start_s))
        seconds = self._dice.uniform(0.1, 1)
        match kind:
            case "disk full":
                await self._fill_disk(seconds)
            case "database busy":
                await asyncio.to_thread(self._hold_database, seconds)
            case "network cut":
                await self._site.platforms.cut_network()
                await asyncio.sleep(seconds)
                await self._site.platforms.mend_network()
            case "asked to end":
                self._asked_to_end.add(self._site.life)
                self._site.life.kill(signal.SIGTERM)
            case "clock moved":
                set_clock(self._clock, self._dice.uniform(-CLOCK_S, CLOCK_S))

    async def _fill_disk(self, seconds: float) -> None:
        """No file of the service can take another byte: what a full disk is to a process."""
        life = self._site.life
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
            self._site.check_alive()
            if waiting != known:
                known, since = waiting, loop.time()
            await asyncio.sleep(0.2)
        await asyncio.sleep(3)  # a second answer would come now
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)

    def _count(self) -> None:
        platforms = self._site.platforms
        for person, expected in self._people:
            self._report.judge(person, expected)
        self._report.calls, self._report.faults = platforms.calls, platforms.failed
        self._report.slowest_ack_s = max(platforms.slack.acks, default=0.0)

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
