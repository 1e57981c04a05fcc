"""Whose turn it is: one at a time in each conversation, first come, first served; and how a running one is stopped."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from core.conversation import Answer


class Turns:
    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: Counter[str] = Counter()  # of a lock, so that the last one out removes it
        self._running: dict[str, asyncio.Task[Answer]] = {}  # what the engine writes for a conversation

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
        running = self._running.get(conversation_id)
        return running is not None and running.cancel()

    async def until_stopped(self, conversation_id: str, writing: Coroutine[Any, Any, Answer]) -> Answer | None:
        """The answer, or None when somebody stopped it. Cancelling this ends the writing, too."""
        task = self._running[conversation_id] = asyncio.create_task(writing)
        try:
            await asyncio.wait({task})
        finally:
            del self._running[conversation_id]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return None if task.cancelled() else task.result()
