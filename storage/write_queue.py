"""Let one writer at a time use SQLite, in order; writers that keep a platform waiting go first."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import IntEnum


class Priority(IntEnum):
    URGENT = 0
    ORDINARY = 1


class WriteQueue:
    def __init__(self) -> None:
        self._taken = False
        self._waiting: dict[Priority, deque[asyncio.Future[None]]] = {priority: deque() for priority in Priority}

    @asynccontextmanager
    async def slot(self, priority: Priority) -> AsyncIterator[None]:
        if self._taken:
            called = asyncio.get_running_loop().create_future()
            self._waiting[priority].append(called)
            try:
                await called
            except asyncio.CancelledError:
                if called.done() and not called.cancelled():
                    self._call_next()  # the slot had already been passed to us
                raise
        self._taken = True
        try:
            yield
        finally:
            self._call_next()

    def _call_next(self) -> None:
        """Pass the slot on directly, so that a newcomer cannot slip in between."""
        for priority in Priority:
            while self._waiting[priority]:
                if not (called := self._waiting[priority].popleft()).done():
                    called.set_result(None)
                    return
        self._taken = False
