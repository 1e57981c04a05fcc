"""Open the two databases of a copy: one consistent state of the first, and one transaction in the second, empty one."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Table, literal, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from core.cache_folder import FULL
from core.disk_space import free
from core.errors import OperatorError
from storage.address import file_of, keep_private, parse
from storage.copying import VERSION_TABLE, table_names
from storage.failures import is_full, reason_of
from storage.migrations import upgrade
from storage.schema import clock, growing_answers, leases, metadata, tallies
from storage.sql_engine import make_engine

READING_PRAGMAS = ("query_only = ON",)
WRITING_PRAGMAS = (
    "auto_vacuum = INCREMENTAL",
    "journal_mode = DELETE",  # of an empty file it stays small, while a log would take as much room again
    "synchronous = FULL",
    "foreign_keys = ON",
)


def sqlite_url(path: Path) -> str:
    """Return the address of a SQLite file."""
    return URL.create("sqlite+aiosqlite", database=str(path.absolute())).render_as_string(hide_password=False)


@asynccontextmanager
async def snapshot(url: str, failure: str = "") -> AsyncIterator[AsyncConnection]:
    """Open one consistent state of a database, also while a service writes.

    Raises `OperatorError` that begins with `failure`, if it cannot be read.
    """
    address = parse(url)
    file = _sqlite_file(address)
    if file is not None:
        if not file.is_file():
            raise OperatorError("There is no database {file}.", file=str(file))
        database = f"file:{quote(str(file))}"
        address = address.set(database=database, query={"mode": "ro", "uri": "true"})
    with explained(failure or f"The database {shown(url)} cannot be read"):
        engine = make_engine(address, READING_PRAGMAS)
        try:
            async with _reader(engine).begin() as connection:
                yield connection
        finally:
            await engine.dispose()


@asynccontextmanager
async def blank(url: str, needed: int = 0) -> AsyncIterator[AsyncConnection]:
    """Open a transaction in an empty database, which is made if it does not exist.

    `needed` are the bytes that are to go into it. Raises `OperatorError` if there is no room for them, or if the
    database is in use or not empty.
    """
    file = file_of(url)
    if parse(url).get_backend_name() == "sqlite" and file is None:
        raise OperatorError("A database in memory keeps nothing: name one in a file.")
    is_new = file is not None and not file.exists()
    with explained(f"The database {shown(url)} cannot be written"):
        if file is not None:
            check_room(file.parent, needed)
            keep_private(file)
        engine = make_engine(parse(url), WRITING_PRAGMAS)
        try:
            async with engine.begin() as connection:
                await refuse_users(connection)
                await _drop_empty_tables(connection, url)
                yield connection
        except BaseException:
            await engine.dispose()
            if file is not None and is_new:
                file.unlink(missing_ok=True)
            raise
        await engine.dispose()


async def refuse_users(connection: AsyncConnection) -> None:
    """Raise `OperatorError` if a service, or anybody else, works with the PostgreSQL database at the moment."""
    if connection.dialect.name != "postgresql":
        return
    others = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL"
    )
    if (await connection.execute(text(others))).scalar():
        raise OperatorError(
            "Others are connected to this PostgreSQL database. Stop every service that uses it first; "
            "`SELECT * FROM pg_stat_activity` shows who is connected."
        )


def check_room(folder: Path, needed: int) -> None:
    """Raise `OperatorError` if so many bytes have no room in a folder."""
    if (left := free(folder)) < needed:
        raise OperatorError(
            "There is no room: about {needed:.2f} GB are needed and {left:.2f} GB are free in {folder}.",
            needed=needed / 1e9,
            left=left / 1e9,
            folder=str(folder),
        )


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn a database's or disk's error into an `OperatorError` that begins with `what`."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError, UnicodeError) as error:
        if is_full(error) or getattr(error, "errno", None) in FULL:
            raise OperatorError("{what}: the disk is full. Nothing was kept.", what=what) from error
        raise OperatorError(
            "{what}: {reason}.", what=what, reason=getattr(error, "strerror", "") or reason_of(error)
        ) from error


def shown(url: str) -> str:
    """Return an address as it may be shown to anybody."""
    return parse(url).render_as_string(hide_password=True)


def _sqlite_file(address: URL) -> Path | None:
    if address.get_backend_name() != "sqlite":
        return None
    if not address.database or address.database == ":memory:":
        raise OperatorError("A database in memory cannot be read by another process.")
    return Path(address.database).absolute()


def _reader(engine: AsyncEngine) -> AsyncEngine:
    if engine.dialect.name == "sqlite":
        return engine.execution_options(begin="BEGIN")
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


async def _drop_empty_tables(connection: AsyncConnection, url: str) -> None:
    """Remove the tables that a start of the service made. Raises `OperatorError` if there is something in them."""
    names = await table_names(connection)
    if VERSION_TABLE in names:
        await connection.run_sync(upgrade)
    elif not names & metadata.tables.keys():
        return
    for table in metadata.sorted_tables:
        if table not in (clock, leases, growing_answers, tallies) and await _has_rows(connection, table):
            raise OperatorError(
                "The database {url} is not empty, and is left as it is. Put its file away or name an empty database.",
                url=shown(url),
            )
    await connection.run_sync(metadata.drop_all)
    await connection.execute(text(f"DROP TABLE {VERSION_TABLE}"))


async def _has_rows(connection: AsyncConnection, table: Table) -> bool:
    return (await connection.execute(select(literal(1)).select_from(table).limit(1))).first() is not None
