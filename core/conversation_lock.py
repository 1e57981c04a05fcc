"""Whose turn it is: one at a time in each conversation, first come, first served; and how a running one is stopped."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from core.conversation import Event


class Turns:
    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: Counter[str] = Counter()  # of a lock, so that the last one out removes it
        self._stops: dict[str, asyncio.Event] = {}  # of the running answer of a conversation

    @asynccontextmanager
    async def take(self, conversation_id: str) -> AsyncIterator[None]:
        lock = self._locks.setdefault(conversation_id, asyncio.Lock())
        self._users[conversation_id] += 1
        try:
            async with lock:
                yield
        finally:
            self._users[conversation_id] -= 1
            if not self._users[conversation_id]:
                del self._users[conversation_id], self._locks[conversation_id]

    def stop(self, conversation_id: str) -> bool:
        """Whether there was anything to stop."""
        stop = self._stops.get(conversation_id)
        if stop is None:
            return False
        stop.set()
        return True

    async def until_stopped(self, conversation_id: str, events: AsyncGenerator[Event]) -> AsyncGenerator[Event]:
        """The events of the running answer until somebody stops it; their source is closed either way."""
        stop = self._stops[conversation_id] = asyncio.Event()
        stopped = asyncio.ensure_future(stop.wait())
        try:
            async with aclosing(events):
                while True:
                    step = asyncio.ensure_future(anext(events, None))
                    try:
                        await asyncio.wait({step, stopped}, return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        if not step.done():
                            step.cancel()
                            await asyncio.gather(step, return_exceptions=True)
                    if step.cancelled() or (event := step.result()) is None:
                        return
                    yield event
        finally:
            stopped.cancel()
            del self._stops[conversation_id]
