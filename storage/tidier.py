"""What SQLite keeps of removed rows: free pages, which go back to the disk, and its log, which is emptied.

Whoever reads the database at that moment, a backup for example, needs the log: so it is tried again until it worked.
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
PAGES = 500  # of 4 KiB, given back to the disk at a time
PATIENCES_MS = (*[0] * 20, 1000)  # with which readers are waited for, one attempt after the other: writers wait, too
ATTEMPT_PAUSE_SECONDS = 0.05
AGAIN_SECONDS = (1, 2, 5, 10, 30, 60)  # before the next attempts; the last one again and again
ERRORS = (*UNAVAILABLE, sqlite3.Error)  # a script's errors come as the driver raises them


class Tidier:
    """Takes its turns in the line of those who write. Made and used in one event loop; `close` it in the end."""

    def __init__(self, engine: AsyncEngine, queue: WriteQueue, busy_timeout_ms: int) -> None:
        self._engine = engine
        self._queue = queue
        self._busy_timeout_ms = busy_timeout_ms
        self._again: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    async def tidy(self) -> None:
        """In small steps, and without waiting for readers for long, as all writers would wait with it."""
        if not await self._try(shrink=True):
            self.try_later()

    def try_later(self) -> None:
        """Empty the log as soon as nobody needs it."""
        if self._again is None or self._again.done():
            self._again = asyncio.create_task(self._keep_trying())

    async def close(self) -> None:
        """What could not be emptied until now is left to the next start."""
        self._closing.set()
        if self._again is not None:
            await self._again

    async def _keep_trying(self) -> None:
        for seconds in chain(AGAIN_SECONDS, repeat(AGAIN_SECONDS[-1])):
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._closing.wait()
            if self._closing.is_set() or await self._try(shrink=False):
                return

    async def _try(self, shrink: bool) -> bool:
        """Whether the log is empty now."""
        try:
            async with self._engine.execution_options(begin="").connect() as connection:
                if shrink:
                    await self._shrink(connection)
                return await self._empty_log(connection, PATIENCES_MS if shrink else PATIENCES_MS[-1:])
        except ERRORS as error:
            log.warning("the database could not be tidied: %s", reason_of(error))
            return False

    async def _shrink(self, connection: AsyncConnection) -> None:
        before = None
        while (left := (await connection.exec_driver_sql("PRAGMA freelist_count")).scalar()) and left != before:
            before = left
            async with self._queue.turn(Priority.ORDINARY):
                raw: Any = await connection.get_raw_connection()
                # A page is freed with each step of the statement; only a script is stepped to its end.
                await raw.driver_connection.executescript(f"PRAGMA incremental_vacuum({PAGES})")

    async def _empty_log(self, connection: AsyncConnection, patiences_ms: Sequence[int]) -> bool:
        """Readers must be through with it."""
        for patience in patiences_ms:
            async with self._queue.turn(Priority.ORDINARY):
                await connection.exec_driver_sql(f"PRAGMA busy_timeout = {patience}")
                try:
                    busy = (await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")).scalar()
                finally:
                    await connection.exec_driver_sql(f"PRAGMA busy_timeout = {self._busy_timeout_ms}")
            if not busy:
                return True
            await asyncio.sleep(ATTEMPT_PAUSE_SECONDS)
        return False
