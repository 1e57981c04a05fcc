"""Limit how many may do something at the same time: in all, and per person."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.errors import Busy


class Limiter:
    """Gives out slots. Others wait for a slot, each for at most `patience` seconds."""

    def __init__(self, limit: int, limit_per_person: int, patience: float) -> None:
        self._limit = limit
        self._limit_per_person = limit_per_person
        self._patience = patience
        self._taken: Counter[str] = Counter()
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def slot(self, person: str) -> AsyncIterator[None]:
        """Hold a slot. Raises `Busy` if none becomes free."""

        def is_free() -> bool:
            return self._taken[person] < self._limit_per_person and self._taken.total() < self._limit

        try:
            async with asyncio.timeout(self._patience), self._changed:
                await self._changed.wait_for(is_free)
                self._taken[person] += 1
        except TimeoutError:
            raise Busy("There are too many requests at once. Please try again in a minute.", retry_after=60) from None
        try:
            yield
        finally:
            self._taken -= Counter([person])
            async with self._changed:
                self._changed.notify_all()
