"""Work on the database goes on to its end, whoever stops waiting for it.

SQLAlchemy ends the connection of work that is cancelled, and aiosqlite may then wait for ever for a thread that is
gone: a service that was asked to end in such a moment never did.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class Running:
    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def complete(self, work: Coroutine[Any, Any, Result]) -> Result:
        """What `work` returns or raises; cancelling this leaves it running."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def wait(self) -> None:
        """Until all of it is done."""
        if self._tasks:
            await asyncio.wait(self._tasks)
