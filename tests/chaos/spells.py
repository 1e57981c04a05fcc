"""Bad weather of a storm: each spell begins at any moment of a life and may last longer than it."""

import asyncio
import random
import resource
import signal
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from tests.chaos.disks import filled
from tests.chaos.fate import set_clock
from tests.chaos.nursery import Life
from tests.chaos.report import Report
from tests.chaos.site import Site

CLOCK_S = 400 * 24 * 3600.0  # the clock is moved by at most so much, to either side
LASTS_S = (0.1, 1.0)


class Spells:
    """Of one site, whose lives believe that clock. `cramped` are the lives that met a full disk."""

    def __init__(self, site: Site, clock: Path, dice: random.Random, report: Report) -> None:
        self.cramped: set[Life] = set()
        self.asked_to_end: set[Life] = set()
        self._site, self._clock, self._dice, self._report = site, clock, dice, report
        self._kinds: dict[str, Callable[[float], Awaitable[None]]] = {
            "disk full": self._fill_disk,
            "database busy": lambda seconds: asyncio.to_thread(self._hold_database, seconds),
            "network cut": self._cut_network,
            "network slow": self._slow_network,
            "clock moved": self._move_clock,
            "asked to end": self._ask_to_end,
        }

    async def come(self) -> None:
        kind = self._dice.choice(list(self._kinds))
        self._report.weather[kind] += 1
        await asyncio.sleep(self._dice.uniform(0, 2 * self._site.start_s))
        await self._kinds[kind](self._dice.uniform(*LASTS_S))

    async def _fill_disk(self, seconds: float) -> None:
        """The disk has no byte left; or no file of the service can take one, what a full disk is to a process."""
        life = self._site.life
        self.cramped.add(life)
        if self._report.small_disk:
            with filled(self._site.folder):
                await asyncio.sleep(seconds)
            self.cramped.add(self._site.life)
            return
        for limit, pause in ((0, seconds), (resource.RLIM_INFINITY, 0.0)):
            if not life.ended.done():
                with suppress(ProcessLookupError):
                    resource.prlimit(life.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            await asyncio.sleep(pause)

    def _hold_database(self, seconds: float) -> None:
        """Somebody else writes for a while, a backup for example."""
        with suppress(sqlite3.OperationalError):
            connection = sqlite3.connect(self._site.folder / "answers.db", timeout=1)
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
            connection.rollback()
            connection.close()

    async def _cut_network(self, seconds: float) -> None:
        await self._site.platforms.cut_network()
        await asyncio.sleep(seconds)
        await self._site.platforms.mend_network()

    async def _slow_network(self, seconds: float) -> None:
        """Every platform does what it is asked to, and says so late."""
        self._site.platforms.is_slow = True
        await asyncio.sleep(5 * seconds)
        self._site.platforms.is_slow = False

    async def _move_clock(self, _: float) -> None:
        set_clock(self._clock, self._dice.uniform(-CLOCK_S, CLOCK_S))

    async def _ask_to_end(self, _: float) -> None:
        self.asked_to_end.add(self._site.life)
        self._site.life.kill(signal.SIGTERM)
