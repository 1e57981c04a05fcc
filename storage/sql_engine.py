"""Make SQLAlchemy's engine for a database address, and prepare each connection to SQLite."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import URL, Connection, event
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from storage.address import not_an_address

POOL = {"pool_size": 4, "max_overflow": 28}  # each SQLite connection is a thread; overflow ones close after use
CACHE_KIB = 512  # of the file in each connection's memory; the system caches it for all of them
BUSY_TIMEOUT_MS = 10_000  # how long SQLite waits for another process's write
SERVICE_PRAGMAS = (
    "auto_vacuum = INCREMENTAL",  # before the first table is made
    "journal_mode = WAL",
    "synchronous = FULL",  # an acknowledged message survives a power cut, not only a crash
    "foreign_keys = ON",
    "secure_delete = ON",  # forgotten data is overwritten
)


def make_engine(url: URL, pragmas: Sequence[str] = SERVICE_PRAGMAS) -> AsyncEngine:
    """Make an engine whose connections to SQLite begin with these pragmas. Raises `OperatorError`."""
    try:
        pool = POOL if url.get_backend_name() == "sqlite" else {}
        engine = create_async_engine(url, json_deserializer=_lenient, **pool)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise not_an_address(error) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", lambda connection, _: _prepare_sqlite(connection, pragmas))
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _lenient(text: str) -> Any:
    """Parse JSON, or return None: a damaged value must not hide the row."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _prepare_sqlite(connection: Any, pragmas: Sequence[str]) -> None:
    connection.driver_connection.text_factory = lambda data: data.decode("utf-8", "replace")
    connection.isolation_level = None  # Python's driver begins transactions late, and none for a read
    cursor = connection.cursor()
    for pragma in (f"busy_timeout = {BUSY_TIMEOUT_MS}", f"cache_size = -{CACHE_KIB}", *pragmas):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first may no longer get the lock for writing, so writers ask for it at once.
    if begin := connection.get_execution_options().get("begin", "BEGIN IMMEDIATE"):
        connection.exec_driver_sql(begin)
