"""Commit small urgent writes together: all that come while one is being written share the next transaction.

So a burst of messages waits for the disk once, not once per message.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

PendingWrite = Callable[[AsyncConnection], Awaitable[Any]]


class GroupCommit:
    """Collects urgent work. `write` runs it in one transaction, and again after a collision."""

    def __init__(self, write: Callable[[PendingWrite], Awaitable[list[Any]]]) -> None:
        self._write = write
        self._waiting: list[tuple[PendingWrite, asyncio.Future[Any]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def add(self, work: PendingWrite) -> Any:
        """Return what `work` returned, once it is on disk. If the transaction fails, all of its work gets the error."""
        result: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, result))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        return await result

    async def close(self) -> None:
        if self._writing is not None:
            await asyncio.wait({self._writing})

    async def _write_all(self) -> None:
        while self._waiting:
            await self._write_together()
        self._writing = None

    async def _write_together(self) -> None:
        batch: list[tuple[PendingWrite, asyncio.Future[Any]]] = []

        async def work(connection: AsyncConnection) -> list[Any]:
            self._move(batch)  # only now, to include work that came while we were waiting
            return [await one(connection) for one, _ in batch]

        try:
            results = await self._write(work)
        except Exception as error:
            self._move(batch)
            for _, result in batch:
                if not result.done():
                    result.set_exception(error)
            return
        for (_, result), value in zip(batch, results, strict=True):
            if not result.done():
                result.set_result(value)

    def _move(self, batch: list[tuple[PendingWrite, asyncio.Future[Any]]]) -> None:
        batch += self._waiting
        self._waiting = []
