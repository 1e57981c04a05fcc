"""Run transactions with one SQLAlchemy engine. Knows no table; the database's own errors end here."""

import asyncio
import logging
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import false, select
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from core.errors import OperatorError
from storage import sql_engine
from storage.address import file_of, keep_private, parse
from storage.failures import UNAVAILABLE, down, has_collided, is_full, reason_of
from storage.group_commit import GroupCommit
from storage.migrations import bring_up_to_date
from storage.running import Running
from storage.schema import metadata
from storage.sql_engine import make_engine
from storage.tidier import Tidier
from storage.watch import Watch, new_mark
from storage.write_queue import Priority, WriteQueue

log = logging.getLogger(__name__)
EXAMINE_SECONDS = 5.0  # longest check of the file at a start
PROGRESS_STEPS = 10_000  # of SQLite's machine between two looks at the clock
UPGRADE_LOCK = 0x70616E73  # a number that other programs on the same PostgreSQL do not lock
EVERY_COLUMN = select(*(select(table).where(false()).exists() for table in metadata.sorted_tables))
WRITE_ATTEMPTS = 6  # when a write collides with another one
P = ParamSpec("P")
Result = TypeVar("Result")
Transaction = Callable[Concatenate[AsyncConnection, P], Awaitable[Result]]


class Database:
    def __init__(self, engine: AsyncEngine, watch: Watch | None = None) -> None:
        self._engine = engine
        self.file = watch.path if watch else None
        self.make_room: Callable[[], bool] = lambda: False  # called when the disk is full; returns whether to try again
        self.shared = engine.dialect.name != "sqlite"  # with other services, see `core.replica`
        self.doubt = asyncio.Event()  # set when something was written, and yet reported as failed
        self._watch = watch
        self._running = Running()
        self._group_commit = GroupCommit(lambda work: self._write(Priority.URGENT, work))
        self._queue: WriteQueue | None
        self._tidier: Tidier | None = None
        if engine.dialect.name == "sqlite":
            self._reader = engine.execution_options(begin="BEGIN")
            self._queue = WriteQueue()  # SQLite's own waiting is polling; in a queue each writer is served at once
            self._tidier = Tidier(engine, self._queue, sql_engine.BUSY_TIMEOUT_MS)
        else:
            self._reader = engine.execution_options(isolation_level="REPEATABLE READ")
            self._single = engine.execution_options(isolation_level="AUTOCOMMIT")
            self._queue = None

    @staticmethod
    async def open(url: str, alone: bool = False) -> "Database":
        """Open the database, and make it if it does not exist. Raises `OperatorError` if it cannot be used.

        With `alone`, no other process opens it this way; then a copy written over its file is noticed.
        """
        file, engine, running = file_of(url), make_engine(parse(url)), Running()
        mark = new_mark() if file and alone else None
        try:
            if file is not None:
                keep_private(file)
            await running.complete(_upgrade(engine))
            if mark is not None:
                await running.complete(_mark(engine, mark))
            watch = Watch(file, mark) if file else None
        except (SQLAlchemyError, OSError, UnicodeDecodeError) as error:
            await engine.dispose()
            if type(error) in (DatabaseError, UnicodeDecodeError):
                raise OperatorError(
                    "The database {file} is damaged: {reason}. Put a copy in its place that was kept, or see what "
                    "`sqlite3 {file} .recover` can save. Where there is no file, a new one is made.",
                    file=str(file),
                    reason=reason_of(error),
                ) from error
            raise OperatorError(
                "The database {url} cannot be opened: {reason}. Check the setting url in [storage], the folder's "
                "permissions and the free disk space.",
                url=engine.url.render_as_string(hide_password=True),
                reason=reason_of(error),
            ) from error
        except BaseException:
            await running.wait()
            await engine.dispose()
            raise
        database = Database(engine, watch)
        if database._tidier is not None:
            database._tidier.try_later()  # a killed run may have left its log
        return database

    async def close(self) -> None:
        if self._tidier is not None:
            await self._tidier.close()
        await self._group_commit.close()
        await self._running.wait()
        await self._engine.dispose()
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    async def read(self, work: Transaction[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Run `work` on one consistent state of the database. Raises `StoreDown` when it does not answer."""
        return await self._running.complete(self._read(lambda connection: work(connection, *args, **kwargs)))

    async def write(self, work: Transaction[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Run `work` in one transaction: all of it is on disk when this returns, or nothing of it.

        Raises `StoreDown` when the database is locked for long, read-only or full.
        """
        writing = self._write(Priority.ORDINARY, lambda connection: work(connection, *args, **kwargs))
        return await self._running.complete(writing)

    async def write_urgent(self, work: Transaction[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Write before all ordinary writes, in one transaction with other urgent ones. Otherwise like `write`."""
        result: Result = await self._group_commit.add(lambda connection: work(connection, *args, **kwargs))
        return result

    async def run_single(self, work: Transaction[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Run `work`, whose statements may each stand alone: without a transaction where the database has a server.

        That saves two round trips, for what replicas do all the time. Raises `StoreDown`.
        """
        if self._queue is not None:
            return await self.write(work, *args, **kwargs)
        return await self._running.complete(self._run_single(lambda connection: work(connection, *args, **kwargs)))

    async def _run_single(self, work: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
        try:
            async with self._single.connect() as connection:
                return await work(connection)
        except UNAVAILABLE as error:
            raise down(reason_of(error)) from error

    async def _read(self, work: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
        self._check_files()
        try:
            async with self._reader.begin() as connection:
                return await work(connection)
        except UNAVAILABLE as error:
            raise down(reason_of(error)) from error

    async def _write(self, priority: Priority, work: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
        for attempt in range(WRITE_ATTEMPTS):
            try:
                self._check_files()
                async with self._slot(priority), self._engine.begin() as connection:
                    result = await work(connection)
                self._check_files(written=True)  # before success is reported
                return result
            except UNAVAILABLE as error:
                if attempt == WRITE_ATTEMPTS - 1:
                    raise down(reason_of(error)) from error
                if has_collided(error):
                    await asyncio.sleep(random.uniform(0.5, 1) * 0.01 * 2**attempt)
                elif not (is_full(error) and await asyncio.to_thread(self.make_room)):
                    raise down(reason_of(error)) from error
        raise AssertionError("unreachable")

    async def tidy(self) -> None:
        """Empty SQLite's log after a removal, and give unused pages back to the disk."""
        if self._tidier is not None:
            await self._running.complete(self._tidier.tidy())

    def _check_files(self, written: bool = False) -> None:
        """Raise `StoreDown` if the database's files were removed or replaced.

        What was `written` a moment before is lost with them, or there again when they are put back.
        """
        if self._watch is not None and (gone := self._watch.gone()):
            if written:
                self.doubt.set()
            log.error(
                "%s was removed or replaced: put it back, or start the service again. A copy is put in its place only "
                "while the service is stopped, and the files whose names end in -wal and -shm are removed with it",
                gone,
            )
            raise down("its file was removed or replaced while the service runs")

    def _slot(self, priority: Priority) -> AbstractAsyncContextManager[None]:
        return self._queue.slot(priority) if self._queue else nullcontext()


async def _upgrade(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            await _examine(connection)
        else:  # replicas that start together: the first one upgrades, the others wait for it
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({UPGRADE_LOCK})")
        await connection.run_sync(bring_up_to_date)
        await connection.execute(EVERY_COLUMN)  # fails where one is missing


async def _mark(engine: AsyncEngine, mark: int) -> None:
    """Write the mark into the header of the file itself. A full disk does not prevent the start."""
    with suppress(OperationalError):
        async with engine.execution_options(begin="").connect() as connection:
            await connection.exec_driver_sql(f"PRAGMA application_id = {mark}")
            await connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")


async def _examine(connection: AsyncConnection) -> None:
    """Raise `DatabaseError` for a damaged file. A file too large to be checked in time is trusted."""
    end = time.monotonic() + EXAMINE_SECONDS
    raw: Any = (await connection.get_raw_connection()).driver_connection
    await raw.set_progress_handler(lambda: time.monotonic() > end, PROGRESS_STEPS)
    try:
        found = (await connection.exec_driver_sql("PRAGMA quick_check(1)")).scalar()
    except OperationalError as error:
        if "interrupted" not in str(error):
            raise
        found = "ok"
    finally:
        await raw.set_progress_handler(None, 0)
    if found != "ok":
        raise DatabaseError(None, None, sqlite3.DatabaseError(f"the file is damaged ({found})"))
