"""Let database work run to its end, even if its caller stops waiting.

SQLAlchemy closes the connection of cancelled work, and aiosqlite may then wait for ever for a thread that is gone. A
service that was stopped at such a moment never ended.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class Running:
    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def complete(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return what `work` returns or raises. Cancelling this leaves the work running."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def wait(self) -> None:
        """Wait until all work is done."""
        if self._tasks:
            await asyncio.wait(self._tasks)
