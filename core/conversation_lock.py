"""Let one turn at a time run in each conversation, first come, first served, and stop a running one."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from core.answer import Answer
from core.stop import Stop


class ConversationLocks:
    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: Counter[str] = Counter()  # of each lock; the last user removes it
        self._running: dict[str, asyncio.Task[Answer]] = {}  # running answer by conversation

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
        """Stop the running answer. Return whether there was one."""
        running = self._running.get(conversation_id)
        return running is not None and running.cancel()

    async def until_stopped(
        self, conversation_id: str, writing: Coroutine[Any, Any, Answer], stop: Stop
    ) -> Answer | None:
        """Wait for the answer, or return None when it is stopped. Cancelling this ends the writing, too."""
        task = self._running[conversation_id] = stop.writing = asyncio.create_task(writing)
        try:
            await asyncio.wait({task})
        finally:
            del self._running[conversation_id]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return None if task.cancelled() or stop.requested else task.result()
