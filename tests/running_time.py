"""Count the seconds in which this machine ran. While it stands still, none pass, whatever its clock says.

A platform waits three seconds for an acknowledgement. Where the machine stands still for four, with the platform's fake
and the service on it, nobody was late; a test that went by the clock would blame the service.
"""

import asyncio
import math
import time
from collections.abc import Awaitable
from typing import TypeVar

TICK_S = 0.1  # however long it took by the clock
Result = TypeVar("Result")


async def pass_by(seconds: float) -> None:
    """Wait until so many seconds have passed."""
    for _ in range(math.ceil(seconds / TICK_S)):
        await asyncio.sleep(TICK_S)


async def within(seconds: float, work: Awaitable[Result]) -> Result:
    """Return what the work returns. Cancel it after so many seconds, and raise `TimeoutError`."""
    task = asyncio.ensure_future(work)
    try:
        for _ in range(math.ceil(seconds / TICK_S)):
            await asyncio.wait({task}, timeout=TICK_S)
            if task.done():
                return task.result()
        raise TimeoutError
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Stalls:
    """When the machine stood still, as far as the running loop felt it."""

    def __init__(self) -> None:
        self._found: list[tuple[float, float]] = []  # begin and end, by the monotonic clock

    async def watch(self) -> None:
        """Note them until cancelled."""
        while True:
            due = time.monotonic() + TICK_S
            await asyncio.sleep(TICK_S)
            if (now := time.monotonic()) > due + TICK_S:
                self.note(due, now)

    def note(self, begin: float, end: float) -> None:
        self._found.append((begin, end))

    @property
    def longest_s(self) -> float:
        return max((end - begin for begin, end in self._found), default=0.0)

    def seconds_between(self, moment: float, other: float) -> float:
        """Return the seconds in which the machine ran, between two moments of the monotonic clock."""
        begin, end = sorted((moment, other))
        lost = sum(max(0.0, min(until, end) - max(since, begin)) for since, until in self._found)
        return end - begin - lost
