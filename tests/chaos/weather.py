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
from contextlib import suppress
from pathlib import Path

from tests.chaos.crowd import Crowd, Stuck
from tests.chaos.fate import MOMENTS, set_clock
from tests.chaos.nursery import Life
from tests.chaos.plan import Plan
from tests.chaos.points import Points
from tests.chaos.records import read_again
from tests.chaos.report import Report
from tests.chaos.site import Site

LIFE = 4.0  # a life that does not end at a chosen point lasts up to so many times what its start took
CLOCK_S = 2 * 24 * 3600.0  # the clock is moved by at most so much, to either side
TELL_S = 20.0  # seconds between two lines about the progress
PLAIN = ("at random", "while starting")  # moments that always come
KILLS = (*PLAIN, "before a step", "before a step", "after a step", "after a step", *MOMENTS, *MOMENTS)
STORMS = ("disk full", "database busy", "network cut", "clock moved", "asked to end")
CANNOT_WORK = 2  # exit status of a service that said why
ENDED = (130, -signal.SIGTERM)  # of one that was asked to; the latter before it could listen


class Storm:
    """Who asks, who dies when, and what the weather is."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self._folder = folder
        self._plan = plan
        self._dice = random.Random(plan.seed)
        self._report = Report(plan.seed)
        self._points = Points()
        self._cramped: set[Life] = set()  # those that met a full disk
        self._asked_to_end: set[Life] = set()
        self._told = 0.0

    async def blow(self) -> Report:
        """A calm day first, which tells what the answers are; then the kills, with people asking all the time."""
        plan, report = self._plan, self._report
        self._clock, self._diary = self._folder / "clock", self._folder / "diary"
        set_clock(self._clock, 0)
        async with Site(self._folder, plan.platforms, self._dice) as self._site:
            self._crowd = Crowd(self._site, plan, self._dice)
            await self._start(None)
            await self._site.until_ready()
            report.troubles += await self._crowd.calm_day()
            await self._site.end()
            began = time.monotonic()
            self._site.platforms.faults = plan.faults
            self._weather = asyncio.create_task(asyncio.sleep(0))
            try:
                while (kills := report.kills.total()) < plan.kills:
                    await self._live((kills + 1) * plan.conversations // plan.kills)
                    self._tell(began)
                await self._weather
                await self._start(None)
                await self._crowd.ask(plan.conversations)
            except (Stuck, RuntimeError) as error:
                report.troubles.append(f"the storm was given up: {error!r}")
            await self._crowd.settle()
            self._site.platforms.faults = 0
            report.read_again, troubles = await read_again(self._site, self._crowd)
            report.troubles += troubles
            report.seconds = time.monotonic() - began
            self._count()
            await self._crowd.close()
        return report

    # The service

    async def _start(self, moment: str | None) -> None:
        fate: dict[str, object] = {"clock": str(self._clock), "diary": str(self._diary)}
        if moment in MOMENTS:
            step = self._points.aim(moment.split()[0], self._points.commits, self._dice)
            fate |= {"moment": moment, "step": step, "writes": self._dice.randint(1, 4 if step else 25)}
        await self._site.start(fate)
        for platform, transport in self._site.transports.items():
            self._report.transports[f"{platform} by {transport}"] += 1

    async def _live(self, conversations: int) -> None:
        """One life from its start to its kill, in which the conversations become so many."""
        moment, before = self._dice.choice(KILLS), self._points.killed.total()
        await self._start(moment)
        if self._weather.done() and self._dice.random() < self._plan.storms:
            self._weather = asyncio.create_task(self._bad_weather())
        if moment == "while starting":
            await asyncio.sleep(self._dice.uniform(0, self._site.start_s))
        else:
            await self._site.until_ready()
            await self._crowd.ask(conversations)
            await self._wait_for_death(moment)
        status = await self._site.end()
        self._site.platforms.excuse()
        self._points.learn(self._diary)
        came = moment in PLAIN or self._points.killed.total() > before
        if status == CANNOT_WORK and self._site.life in self._cramped:
            return  # with a full disk it cannot start, and says so
        if status in ENDED and self._site.life in self._asked_to_end:
            return
        if status != -9:
            raise self._site.strange_end()
        self._report.kills[moment if came else PLAIN[0]] += 1

    async def _wait_for_death(self, moment: str) -> None:
        if moment.endswith("a step"):
            platforms, when = self._site.platforms, moment.split()[0]
            step = self._points.aim(when, platforms.steps, self._dice)
            writes = self._dice.randint(1, 2 if step else 6)
            platforms.on_step = lambda name: self._on_step(name, when, step, writes)
        await asyncio.wait({self._site.life.ended}, timeout=self._dice.uniform(0, LIFE * self._site.start_s))
        self._site.platforms.on_step = lambda name: None

    def _on_step(self, name: str, when: str, step: str | None, left: int) -> None:
        """Just before the platform does what it was asked to, or as soon as it has; with a `step` only that counts."""
        if step not in (None, name):
            return
        if left > 1:
            self._site.platforms.on_step = lambda name: self._on_step(name, when, step, left - 1)
            return
        self._site.platforms.on_step = lambda name: None
        self._points.killed[f"{when} {name}"] += 1
        if when == "before":
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

    def _count(self) -> None:
        platforms, report = self._site.platforms, self._report
        for person in self._crowd.people:
            report.judge(person)
            left = person.leftovers()
            report.leftovers[person.platform] += len(left)
            if strange := len(left) - sum(map(platforms.is_excused, left)):
                report.blame(person, f"{strange} placeholders stayed, and nothing had gone wrong when they were posted")
        for platform, count in platforms.unheard.items():
            if count:
                report.troubles.append(f"{platform}: {count} events were never acknowledged")
        report.troubles += [f"somebody's words are in the log: {line}" for line in self._site.nursery.spilled[:20]]
        report.kinds_there_are = self._crowd.kinds
        report.points, report.points_there_are = self._points.killed, self._points.all(platforms.steps)
        report.calls, report.faults, report.noise = platforms.calls, platforms.failed, platforms.noise
        report.slowest_ack_s = max(platforms.slack.acks, default=0.0)

    def _tell(self, began: float) -> None:
        """A line now and then, for whoever waits."""
        now, kills = time.monotonic(), max(1, self._report.kills.total())
        if now - max(began, self._told) < TELL_S:
            return
        self._told = now
        waiting, asked = len(self._crowd.waiting()), len(self._crowd.people)
        text = f"{kills} kills, {(now - began) / kills:.2f} s each; {asked - waiting} of {asked} conversations answered"
        print(text, file=sys.stderr, flush=True)
