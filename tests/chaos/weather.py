"""Kills the real service at random and between any two of its writes while people ask, and counts what they saw.

Weather comes on top, see `tests.chaos.spells`.
"""

import asyncio
import random
import signal
import sys
import time
from contextlib import AsyncExitStack
from itertools import cycle
from pathlib import Path
from typing import TextIO

from tests.chaos.crowd import Crowd, Stuck
from tests.chaos.disks import small_disk
from tests.chaos.engines import Engines
from tests.chaos.fate import CHANGING, MOMENTS, set_clock
from tests.chaos.nursery import Nursery
from tests.chaos.people import Book
from tests.chaos.plan import Plan
from tests.chaos.points import Points
from tests.chaos.records import computed, read_again, recorded
from tests.chaos.report import Report
from tests.chaos.site import Site
from tests.chaos.spells import Spells

LIFE = 4.0  # a life that does not end at a chosen point lasts up to so many times what its start took
TELL_S = 20.0  # seconds between two lines about the progress
PLAIN = ("at random", "while starting")  # moments that always come
KILLS = (*PLAIN, "before a step", "before a step", "after a step", "after a step", *MOMENTS, *MOMENTS)
CANNOT_WORK = 2  # exit status of a service that said why
ENDED = (0, -signal.SIGTERM)  # of one that was asked to; the latter before it could listen


class Storm:
    """Who asks, who dies when, and what the weather is. A `mutant` is what every life is after the calm day; with a
    `book` of an earlier storm's there is none. `log` gets what the service writes."""

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        mutant: str | None = None,
        book: Book | None = None,
        nursery: Nursery | None = None,
        log: TextIO | None = None,
    ) -> None:
        self.book = book
        self._log = log
        self._ends_early = False
        self._mutant = mutant
        self._nursery = nursery
        self._folder = folder
        self._plan = plan
        self._dice = random.Random(plan.seed)
        self._report = Report(plan.seed)
        self._points = Points()
        self._recorded: set[str] = set()  # ids of the platforms that the store knew when a life ended
        self._aims = cycle(plan.aims)
        self._told = 0.0

    def end_early(self) -> None:
        """Let nobody else ask and nothing else happen; those who asked are waited for, and the report is made."""
        self._ends_early = True

    async def blow(self) -> Report:
        """A calm day first, which tells what the answers are; then the kills, with people asking all the time."""
        with small_disk(self._folder, self._plan.disk_bytes) as self._report.small_disk:
            return await self._blow()

    async def _blow(self) -> Report:
        plan, report = self._plan, self._report
        self._clock, self._diary = self._folder / "clock", self._folder / "diary"
        set_clock(self._clock, 0)
        site = Site(self._folder, plan.platforms, self._dice, at_once=plan.questions_at_once, nursery=self._nursery)
        site.nursery.log = self._log
        async with site as self._site, AsyncExitStack() as stack:
            if plan.remote is not None:
                engines = Engines(self._folder / "engines", site.nursery, self._dice)
                stack.push_async_callback(engines.close)
                await engines.start()
                site.engine = engines.lines
                report.engines = engines.events
            self._spells = Spells(site, self._clock, self._dice, report)
            self._crowd = Crowd(self._site, plan, self._dice, self.book)
            if self.book is None:
                await self._calm_day()
            began = time.monotonic()
            self._site.platforms.faults, self._site.platforms.slack.apart_s = plan.faults, plan.apart_s
            if plan.remote is not None:
                engines.faults = plan.remote
            self._weather = asyncio.create_task(asyncio.sleep(0))
            try:
                while (kills := report.kills.total()) < plan.kills and not self._ends_early:
                    await self._live((kills + 1) * plan.conversations // plan.kills)
                    self._tell(began)
                await self._weather
                await self._start(None, plan.held and not plan.aims)
                if self._ends_early:
                    report.complain("given up", f"it was asked to end after {kills} of {plan.kills} kills")
                else:
                    await self._crowd.ask(plan.conversations)
            except (Stuck, RuntimeError, TimeoutError) as error:
                report.complain("given up", f"{error!r}")
            await self._crowd.settle()
            self._site.platforms.faults = 0
            if plan.remote is not None:
                engines.faults = 0
            report.judge_disk(self._folder)
            report.read_again, complaints = await read_again(self._site, self._crowd, plan.browser)
            if not report.kills:
                complaints += computed(self._folder)
            for complaint in complaints:
                report.complain(*complaint)
            report.seconds = time.monotonic() - began
            self._count()
            await self._crowd.close()
        return report

    async def _calm_day(self) -> None:
        await self._site.start({"clock": str(self._clock), "diary": str(self._diary)})
        await self._site.until_ready()
        for complaint in await self._crowd.calm_day():
            self._report.complain("calm day", complaint)
        await self._site.end()
        self.book = self._crowd.book

    # The service

    async def _start(self, moment: str | None, held: bool = False, commit: str | None = None) -> None:
        """A life that dies at the first `commit` of that name, or else at one that the dice choose."""
        fate: dict[str, object] = {"clock": str(self._clock), "diary": str(self._diary), "mutant": self._mutant}
        fate["held"] = held
        if commit:
            fate |= {"moment": moment, "step": commit, "writes": 1}
        elif moment in MOMENTS:
            step = self._points.aim(moment.split()[0], self._points.commits, self._dice)
            fate |= {"moment": moment, "step": step, "writes": self._dice.randint(1, 4 if step else 25)}
        await self._site.start(fate)
        for platform, transport in self._site.transports.items():
            self._report.transports[f"{platform} by {transport}"] += 1

    async def _live(self, conversations: int) -> None:
        """One life from its start to its kill, in which the conversations become so many."""
        if self._plan.aims:
            await self._live_until_aim(conversations)
            return
        moment, before = self._dice.choice(KILLS), self._points.killed.total()
        await self._start(moment)
        if self._weather.done() and self._dice.random() < self._plan.storms:
            self._weather = asyncio.create_task(self._spells.come())
        if moment == "while starting":
            await asyncio.sleep(self._dice.uniform(0, self._site.start_s))
        else:
            await self._site.until_ready()
            await self._crowd.ask(conversations)
            await self._wait_for_death(moment)
        status = await self._end()
        self._points.learn(self._diary)
        came = moment in PLAIN or self._points.killed.total() > before
        if status == CANNOT_WORK and self._site.life in self._spells.cramped:
            return  # with a full disk it cannot start, and says so
        if status in ENDED and self._site.life in self._spells.asked_to_end:
            return
        if status != -9:
            raise self._site.strange_end()
        self._report.kills[moment if came else PLAIN[0]] += 1

    async def _end(self) -> int:
        status = await self._site.end()
        self._site.platforms.excuse()
        self._recorded |= recorded(self._folder / "answers.db")
        return status

    async def _live_until_aim(self, conversations: int) -> None:
        """One life until it is killed at the next of the steps that are aimed at."""
        when, _, step = next(self._aims).partition(" ")
        if step.startswith(CHANGING):
            await self._start(f"{when} a commit", self._plan.held, step)
        else:
            await self._start(None, self._plan.held)
            self._site.platforms.on_step = lambda name: self._on_step(name, when, step, 1)
        await self._site.until_ready()
        await self._crowd.ask(conversations)
        async with asyncio.timeout(self._plan.patience_s):
            await self._site.life.wait()
        status = await self._end()
        self._points.learn(self._diary)
        if status != -9:
            raise self._site.strange_end()
        self._report.kills[f"{when} {step}"] += 1

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

    # The end

    def _count(self) -> None:
        self._report.count(self._crowd, self._site.platforms, self._points, self._recorded, self._site.nursery.spilled)

    def _tell(self, began: float) -> None:
        """A line now and then, for whoever waits."""
        now, kills = time.monotonic(), max(1, self._report.kills.total())
        if now - max(began, self._told) < TELL_S:
            return
        self._told = now
        waiting, asked = len(self._crowd.waiting()), len(self._crowd.people)
        text = f"{kills} kills, {(now - began) / kills:.2f} s each; {asked - waiting} of {asked} conversations answered"
        print(text, file=sys.stderr, flush=True)
