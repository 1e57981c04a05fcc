"""Copy every row of a database into an empty one, and compare each row afterwards.

Rows are copied in the version of the tables that they were written in; then the new database is upgraded. So a copy of
an older version's database needs no other steps.
"""

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from sqlalchemy import JSON, LargeBinary, MetaData, Select, Table, func, insert, inspect, select, text, tuple_
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import OperatorError
from storage.migrations import upgrade
from storage.schema import growing_answers

VERSION_TABLE = "alembic_version"
ROWS_AT_ONCE = 500
PICTURES_AT_ONCE = 4  # some megabytes each


class Progress(Protocol):
    def __call__(self, what: str, done: int, total: int) -> None:
        """Tell how many rows of `total` are done. What this raises ends the work, and nothing is kept of it."""
        ...


async def copy(source: AsyncConnection, target: AsyncConnection, progress: Progress) -> Mapping[str, int]:
    """Copy all rows within the two transactions. Return how many, by table.

    Raises `OperatorError` if `source` is no database of this program, or if a row is not the same afterwards.
    """
    revision = await revision_of(source)
    others = await table_names(target)
    await target.run_sync(upgrade, revision)
    ours = await target.run_sync(reflected, await table_names(target) - others - {VERSION_TABLE})
    theirs = await source.run_sync(reflected, await table_names(source))
    if lacking := ours.tables.keys() - theirs.tables.keys():
        raise OperatorError("The database is damaged: it has no table {names}.", names=", ".join(sorted(lacking)))
    # What grows at one replica for readers at another lasts for seconds.
    lasting = [table for table in ours.sorted_tables if table.name != growing_answers.name]
    pairs = [(theirs.tables[table.name], table) for table in lasting]
    for old, new in pairs:
        await _copy_rows(source, target, old, new, progress)
    counts = {new.name: await _compare_rows(source, target, old, new, progress) for old, new in pairs}
    for table in ours.sorted_tables:
        await _continue_numbers(target, table)
    await target.run_sync(upgrade)
    return counts


async def revision_of(source: AsyncConnection) -> str:
    """Return the version of a database's tables. Raises `OperatorError` if it is none of this program."""
    if VERSION_TABLE in await table_names(source):
        found = (await source.execute(text(f"SELECT version_num FROM {VERSION_TABLE}"))).scalars().all()
        if len(found) == 1:
            return str(found[0])
    raise OperatorError("This is not a database of this program: it has no table that says its version.")


async def table_names(connection: AsyncConnection) -> set[str]:
    return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


def reflected(connection: Any, names: Collection[str]) -> MetaData:
    """Return tables as they are in the database."""
    metadata = MetaData()
    metadata.reflect(connection, only=sorted(names))
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, JSON):
                column.type.none_as_null = True  # otherwise an empty field would become the JSON text `null`
    return metadata


async def count(connection: AsyncConnection, table: Table) -> int:
    return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


def rows_at_once(table: Table) -> int:
    """Return how many rows of a table fit into memory together."""
    return PICTURES_AT_ONCE if any(isinstance(column.type, LargeBinary) for column in table.c) else ROWS_AT_ONCE


async def _copy_rows(
    source: AsyncConnection, target: AsyncConnection, old: Table, new: Table, progress: Progress
) -> None:
    total, done, size = await count(source, old), 0, rows_at_once(old)
    progress(f"Copying {new.name}", 0, total)
    found = await source.stream(_rows(old, new), execution_options={"yield_per": size})
    async for rows in found.mappings().partitions(size):
        await target.execute(insert(new), [dict(row) for row in rows])
        done += len(rows)
        progress(f"Copying {new.name}", done, total)


async def _compare_rows(
    source: AsyncConnection, target: AsyncConnection, old: Table, new: Table, progress: Progress
) -> int:
    """Return how many rows there are on both sides. Raises `OperatorError` if one of them differs."""
    total, done, size = await count(source, old), 0, rows_at_once(old)
    key = [column.name for column in new.primary_key]
    found = await source.stream(_rows(old, new), execution_options={"yield_per": size})
    async for rows in found.mappings().partitions(size):
        wanted = {tuple(row[name] for name in key): tuple(row.values()) for row in rows}
        query = _rows(new, new).where(tuple_(*(new.c[name] for name in key)).in_(list(wanted)))
        arrived = (await target.execute(query)).mappings().all()
        if {tuple(row[name] for name in key): tuple(row.values()) for row in arrived} != wanted:
            raise _differs(new)
        done += len(rows)
        progress(f"Comparing {new.name}", done, total)
    if not done == total == await count(target, new):
        raise _differs(new)
    return done


def _rows(table: Table, like: Table) -> Select[Any]:
    """Select the columns of `like` from a table, in their order."""
    if lacking := [column.name for column in like.c if column.name not in table.c]:
        reason = f"{table.name} has no column {', '.join(lacking)}"
        raise DatabaseError(None, None, ValueError(reason))
    return select(*(table.c[column.name] for column in like.c))


async def _continue_numbers(target: AsyncConnection, table: Table) -> None:
    """Let PostgreSQL number the next rows after those that were copied. SQLite does so by itself."""
    [*key] = table.primary_key
    if target.dialect.name != "postgresql" or len(key) != 1:
        return
    sequence = (await target.execute(select(func.pg_get_serial_sequence(table.name, key[0].name)))).scalar()
    highest = (await target.execute(select(func.max(key[0])))).scalar()
    if sequence is not None and highest is not None:
        await target.execute(select(func.setval(sequence, highest)))


def _differs(table: Table) -> OperatorError:
    return OperatorError(
        "A row of the table {table} is not the same after it was copied, so nothing was kept of the copy. The memory "
        "or the disk of this machine may be faulty.",
        table=table.name,
    )
