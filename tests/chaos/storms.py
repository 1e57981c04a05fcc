"""The kinds of bad weather: each comes, stays for a while and goes again, and says what /readyz is to say meanwhile."""

import asyncio
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from tests.chaos.fate import set_clock
from tests.chaos.ledger import Ledger
from tests.chaos.nursery import ROOT
from tests.chaos.site import Site
from tests.running_time import pass_by

CLOCK_S = 400 * 24 * 3600.0  # the clock is moved by at most so much, to either side
LASTS_S = (2.0, 8.0)  # how long a kind of weather stays
SETTLED_S = 2.5  # after a change, while the machine runs, at least: an answer of /readyz holds for one second
MENDED_S = 90.0  # until /readyz says what is true, at most; a question that found no memory counts for one minute
SPARE_BYTES = (0, 32 << 20)  # that the service may still take where memory is short
READY, UNREADY = 200, 503


@dataclass(frozen=True)
class Truth:
    """What /readyz should say: a status, and something that stands in the body. None: whatever is true of memory."""

    kind: str
    status: int | None = READY
    line: str = ""


class Storms:
    """Of one site, whose lives believe the clock in that file."""

    truth: Truth | None = None  # None while it changes

    def __init__(self, site: Site, clock: Path, dice: random.Random, ledger: Ledger) -> None:
        self._site, self._clock, self._dice, self._ledger = site, clock, dice, ledger
        self._kinds: dict[str, Callable[[str], Awaitable[None]]] = {
            "clock moved": self._move_clock,
            "clock moved and killed": self._kill_and_move_clock,
            "disk full": self._fill_disk,
            "memory short": self._squeeze_memory,
            "database busy": self._hold_database,
            "database moved away": self._move_database,
            "database removed": self._remove_database,
            "network cut": self._cut_network,
            "token refused": self._refuse_token,
            "killed": self._kill,
            "asked to end": self._ask_to_end,
            "second service": self._start_another,
            "operator looks": self._look_at_expiry,
        }

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(self._kinds)

    async def come(self, kind: str) -> None:
        self._ledger.storms[kind] += 1
        await self._kinds[kind](kind)

    @asynccontextmanager
    async def weather(self, truth: Truth) -> AsyncIterator[None]:
        self.truth = None
        await pass_by(SETTLED_S)
        if truth.status is not None:  # a busy machine needs longer
            await self._until_said(truth)
        self.truth = truth
        try:
            yield
        finally:
            self.truth = None

    async def begin_life(self) -> None:
        await self._site.start({"clock": str(self._clock)})
        await self._site.until_ready()

    # Each kind

    async def _move_clock(self, kind: str) -> None:
        set_clock(self._clock, self._dice.uniform(-CLOCK_S, CLOCK_S))
        await self._last(Truth(kind))

    async def _kill_and_move_clock(self, kind: str) -> None:
        await self._site.end()
        set_clock(self._clock, self._dice.choice([0.0, self._dice.uniform(-CLOCK_S, CLOCK_S)]))
        await self.begin_life()
        await self._last(Truth(kind))

    async def _fill_disk(self, kind: str) -> None:
        """No file of the service can take another byte."""
        self._limit(resource.RLIMIT_FSIZE, 0)
        await self._last(Truth(kind, UNREADY, "the database does not work"))
        self._limit(resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)

    async def _squeeze_memory(self, kind: str) -> None:
        """The service gets next to no memory any more."""
        size = psutil.Process(self._site.life.pid).memory_info().vms
        self._limit(resource.RLIMIT_AS, size + self._dice.randint(*SPARE_BYTES))
        await self._last(Truth(kind, None))
        self._limit(resource.RLIMIT_AS, resource.RLIM_INFINITY)
        if not await self._until_said(Truth(f"after {kind}")):
            await self._kill(kind)

    async def _hold_database(self, kind: str) -> None:
        """Somebody else writes for a while, a backup for example: everybody waits, and is answered."""

        def hold(seconds: float) -> None:
            connection = sqlite3.connect(self._database, timeout=10)
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
            connection.rollback()
            connection.close()

        async with self.weather(Truth(kind)):
            await asyncio.to_thread(hold, self._dice.uniform(0.5, 3))

    async def _move_database(self, kind: str) -> None:
        elsewhere = self._database.with_name("elsewhere.db")
        os.rename(self._database, elsewhere)
        await self._last(Truth(kind, UNREADY, "removed or replaced"))
        os.rename(elsewhere, self._database)

    async def _remove_database(self, kind: str) -> None:
        """It is put back from where the service still has it open, as one would from a backup, and started again."""
        files = [self._database, *(self._database.with_name(self._database.name + end) for end in ("-wal", "-shm"))]
        kept = {path: path.with_name(f"kept {path.name}") for path in files if path.exists()}
        for path, copy in kept.items():
            os.link(path, copy)
            path.unlink()
        await self._last(Truth(kind, UNREADY, "removed or replaced"))
        await self._site.end()
        for path, copy in kept.items():
            os.rename(copy, path)
        await self.begin_life()

    async def _cut_network(self, kind: str) -> None:
        """Shorter than what makes a platform count as down."""
        await self._site.platforms.cut_network()
        await self._last(Truth(kind))
        await self._site.platforms.mend_network()

    async def _refuse_token(self, kind: str) -> None:
        """Telegram is down from the start, until the operator has mended it; everybody else is answered."""
        self._site.platforms.telegram.token_is_good = False
        await self._site.end()
        await self.begin_life()
        await self._last(Truth(kind, READY, "telegram is down: "))
        self._site.platforms.telegram.token_is_good = True
        await self._kill(kind)

    async def _kill(self, kind: str) -> None:
        await self._site.end()
        await self.begin_life()

    async def _ask_to_end(self, kind: str) -> None:
        self._site.life.kill(signal.SIGTERM)
        await self._site.life.wait()
        await self.begin_life()

    async def _start_another(self, kind: str) -> None:
        async with self.weather(Truth(kind)):
            done = await self._command("run")
        if done.returncode != 2 or f"process {self._site.life.pid} on " not in done.stderr:
            self._ledger.troubles.append(f"a second service was not refused: {done.returncode} {done.stderr}")

    async def _look_at_expiry(self, kind: str) -> None:
        async with self.weather(Truth(kind)):
            done = await self._command("expire")
        if done.returncode:
            self._ledger.troubles.append(f"bots expire: {done.returncode} {done.stderr}")

    # What they do it with

    @property
    def _database(self) -> Path:
        return self._site.folder / "answers.db"

    async def _last(self, truth: Truth) -> None:
        async with self.weather(truth):
            await asyncio.sleep(self._dice.uniform(*LASTS_S))

    async def _until_said(self, truth: Truth) -> bool:
        """Return whether /readyz says what is true, as soon as it does. That it does not is a trouble."""
        said = "nothing"
        with suppress(TimeoutError):
            async with (
                asyncio.timeout(MENDED_S),
                httpx.AsyncClient(base_url=self._site.url, timeout=MENDED_S, trust_env=False) as client,
            ):
                while True:
                    with suppress(httpx.TransportError):
                        answer = await client.get("/readyz")
                        if answer.status_code == truth.status and truth.line in answer.text:
                            return True
                        said = f"{answer.status_code}, {answer.text!r}"
                    await asyncio.sleep(0.5)
        self._ledger.troubles.append(f"{truth.kind}: /readyz still said {said} after {MENDED_S:g} s")
        return False

    def _limit(self, what: int, soft: int) -> None:
        with suppress(ProcessLookupError):
            resource.prlimit(self._site.life.pid, what, (soft, resource.RLIM_INFINITY))

    async def _command(self, word: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "bots", word, "--config", str(self._site.config)]
        return await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True, text=True, check=False)
