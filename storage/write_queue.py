"""One writer at a time, as SQLite has it: in order, and who keeps a platform waiting before all others."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import IntEnum


class Haste(IntEnum):
    URGENT = 0
    ORDINARY = 1


class Line:
    def __init__(self) -> None:
        self._taken = False
        self._waiting: dict[Haste, deque[asyncio.Future[None]]] = {haste: deque() for haste in Haste}

    @asynccontextmanager
    async def turn(self, haste: Haste) -> AsyncIterator[None]:
        if self._taken:
            called = asyncio.get_running_loop().create_future()
            self._waiting[haste].append(called)
            try:
                await called
            except asyncio.CancelledError:
                if called.done() and not called.cancelled():
                    self._call_next()  # it was just our turn
                raise
        self._taken = True
        try:
            yield
        finally:
            self._call_next()

    def _call_next(self) -> None:
        """The turn goes from hand to hand, so that nobody who comes now slips in between."""
        for haste in Haste:
            while self._waiting[haste]:
                if not (called := self._waiting[haste].popleft()).done():
                    called.set_result(None)
                    return
        self._taken = False
