"""Give SQLite's free pages back to the disk after a removal, and empty its log.

Another reader of the database, such as a backup, needs the log while it reads. So this is repeated until it succeeds.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain, repeat
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage.failures import UNAVAILABLE, reason_of
from storage.write_queue import Priority, WriteQueue

log = logging.getLogger(__name__)
FREED_PAGES = 500  # of 4 KiB, given back to the disk at once
READER_WAITS_MS = (*[0] * 20, 1000)  # waits for readers, one per attempt; writers wait as well
ATTEMPT_PAUSE_SECONDS = 0.05
RETRY_SECONDS = (1, 2, 5, 10, 30, 60)  # before the next attempts; the last one is repeated
ERRORS = (*UNAVAILABLE, sqlite3.Error)  # SQLAlchemy does not wrap a script's errors


class Tidier:
    """Takes its turns in the queue of writers. Use it in one event loop, and `close` it in the end."""

    def __init__(self, engine: AsyncEngine, queue: WriteQueue, busy_timeout_ms: int) -> None:
        self._engine = engine
        self._queue = queue
        self._busy_timeout_ms = busy_timeout_ms
        self._again: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    async def tidy(self) -> None:
        """Shrink the file in small steps, without waiting long for readers, because all writers would wait as well."""
        if not await self._try(shrink=True):
            self.try_later()

    def try_later(self) -> None:
        """Empty the log as soon as no reader needs it."""
        if self._again is None or self._again.done():
            self._again = asyncio.create_task(self._keep_trying())

    async def close(self) -> None:
        """Stop. What could not be emptied is left to the next start."""
        self._closing.set()
        if self._again is not None:
            await self._again

    async def _keep_trying(self) -> None:
        for seconds in chain(RETRY_SECONDS, repeat(RETRY_SECONDS[-1])):
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._closing.wait()
            if self._closing.is_set() or await self._try(shrink=False):
                return

    async def _try(self, shrink: bool) -> bool:
        """Return whether the log is empty now."""
        try:
            async with self._engine.execution_options(begin="").connect() as connection:
                if shrink:
                    await self._shrink(connection)
                return await self._empty_log(connection, READER_WAITS_MS if shrink else READER_WAITS_MS[-1:])
        except ERRORS as error:
            log.warning("the database could not be tidied: %s", reason_of(error))
            return False

    async def _shrink(self, connection: AsyncConnection) -> None:
        before = None
        while (left := (await connection.exec_driver_sql("PRAGMA freelist_count")).scalar()) and left != before:
            before = left
            async with self._queue.slot(Priority.ORDINARY):
                raw: Any = await connection.get_raw_connection()
                # Each step of the statement frees a page, and only a script is stepped to its end.
                await raw.driver_connection.executescript(f"PRAGMA incremental_vacuum({FREED_PAGES})")

    async def _empty_log(self, connection: AsyncConnection, patiences_ms: Sequence[int]) -> bool:
        """Empty the log, and return whether that worked. It needs a moment without readers."""
        for patience in patiences_ms:
            async with self._queue.slot(Priority.ORDINARY):
                await connection.exec_driver_sql(f"PRAGMA busy_timeout = {patience}")
                try:
                    busy = (await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")).scalar()
                finally:
                    await connection.exec_driver_sql(f"PRAGMA busy_timeout = {self._busy_timeout_ms}")
            if not busy:
                return True
            await asyncio.sleep(ATTEMPT_PAUSE_SECONDS)
        return False
