"""Back a database up into one file, which is a SQLite database whatever it was, and restore it.

The file is written next to its place under another name, and gets its name when it is whole.
"""

import fcntl
import glob
import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Column, MetaData, Table, Text, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import OperatorError
from storage import allowance, forgotten, personal
from storage.copying import Progress, copy, count, reflected, revision_of, rows_at_once, table_names
from storage.lock import hold
from storage.migrations import check_revision
from storage.personal import AuthorOf, Traces
from storage.transfer import blank, explained, refuse_users, shown, snapshot, sqlite_url
from storage.watch import MAGIC

FINGERPRINT, MADE = "fingerprint", "made"
NOT_A_BACKUP = "{path} is not a backup that this program made."
DAMAGED = "{path} is damaged or cut off, and nothing was restored from it"
UNFINISHED = ".part"

facts = Table("backup", MetaData(), Column("name", Text, primary_key=True), Column("value", Text, nullable=False))


class Restored(NamedTuple):
    """What `back_up` was told, how many rows the backup has, by table, and what was left out of them."""

    about: Mapping[str, str]
    counts: Mapping[str, int]
    left_out: Traces | None


async def back_up(url: str, path: Path, about: Mapping[str, str], progress: Progress) -> Mapping[str, int]:
    """Write all of a database into a new file. Return how many rows it has, by table.

    A service may go on working meanwhile. `about` is kept in the file. Raises `OperatorError`, and leaves no file then.
    """
    with explained(f"{path} cannot be written"), _new_file(path) as file:
        async with snapshot(url) as source, blank(sqlite_url(file), await allowance.size(source)) as target:
            counts = await copy(source, target, progress)
            await target.run_sync(facts.metadata.create_all)
            values = {**about, FINGERPRINT: await _fingerprint(target, progress)}
            await target.execute(insert(facts), [{"name": key, "value": value} for key, value in values.items()])
    return counts


async def restore(
    path: Path,
    url: str,
    progress: Progress,
    gone: Path | None = None,
    author_of: AuthorOf = lambda platform, payload: None,
) -> Restored:
    """Read a backup into an empty database that is not in use. The whole file is checked before anything is written.

    The people in the list `gone` who were forgotten after the backup was made are left out. Raises `OperatorError`.
    """
    with hold(url):
        about = await check(path, progress)
        names = forgotten.since(gone, about.get(MADE, "")) if gone else ()
        async with snapshot(sqlite_url(path)) as source, blank(url, await allowance.size(source)) as target:
            counts = await copy(source, target, progress)
            return Restored(about, counts, await _leave_out(target, names, author_of) if names else None)


async def _leave_out(target: AsyncConnection, names: Collection[str], author_of: AuthorOf) -> Traces:
    if target.dialect.name == "sqlite":
        await target.exec_driver_sql("PRAGMA secure_delete = ON")  # deleted rows are overwritten
    traces, _ = await personal.forget(target, names, author_of)
    return traces


async def move(url: str, new_url: str, progress: Progress) -> Mapping[str, int]:
    """Copy a database that is not in use into an empty one. Return how many rows it has, by table.

    Raises `OperatorError`.
    """
    if shown(url) == shown(new_url):
        raise OperatorError("Both addresses name the same database: {url}.", url=shown(url))
    with hold(url), hold(new_url):
        async with snapshot(url) as source:
            await refuse_users(source)
            async with blank(new_url, await allowance.size(source)) as target:
                return await copy(source, target, progress)


async def check(path: Path, progress: Progress) -> Mapping[str, str]:
    """Read a whole backup and return what it says about itself. Raises `OperatorError` if it is not a whole one."""
    with explained(f"{path} cannot be read"), path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise OperatorError(NOT_A_BACKUP, path=str(path))
    async with snapshot(sqlite_url(path), DAMAGED.format(path=path)) as backup:
        progress(f"Checking {path.name}", 0, 1)
        if (found := (await backup.exec_driver_sql("PRAGMA integrity_check(1)")).scalar()) != "ok":
            raise OperatorError("{what}: {reason}.", what=DAMAGED.format(path=path), reason=found)
        pages, size = [(await backup.exec_driver_sql(f"PRAGMA page_{what}")).scalar_one() for what in ("count", "size")]
        if os.stat(path).st_size != pages * size:  # what is missing at the end may have been zeros
            raise OperatorError("{what}: it ends too early.", what=DAMAGED.format(path=path))
        if facts.name not in await table_names(backup):
            raise OperatorError(
                f"{NOT_A_BACKUP} A database of this program that is no backup is copied with copy-database.",
                path=str(path),
            )
        check_revision(await revision_of(backup))
        about = {row.name: row.value for row in await backup.execute(select(facts))}
        if about.pop(FINGERPRINT, None) != await _fingerprint(backup, progress):
            raise OperatorError("{what}: its rows changed.", what=DAMAGED.format(path=path))
        return about


async def _fingerprint(backup: AsyncConnection, progress: Progress) -> str:
    """Return a hash of all rows of a backup, so that a damaged one is noticed."""
    whole = hashlib.sha256()
    for name in sorted(await table_names(backup) - {facts.name}):
        table = (await backup.run_sync(reflected, [name])).tables[name]
        total, done, size = await count(backup, table), 0, rows_at_once(table)
        query = select(table).order_by(*table.primary_key)
        found = await backup.stream(query, execution_options={"yield_per": size})
        async for rows in found.partitions(size):
            for value in (name, *(value for row in rows for value in row)):
                data = value if isinstance(value, bytes) else repr(value).encode("utf-8", "surrogatepass")
                whole.update(len(data).to_bytes(8, "big"))
                whole.update(data)
            done += len(rows)
            progress(f"Checking {name}", done, total)
    return whole.hexdigest()


@contextmanager
def _new_file(path: Path) -> Iterator[Path]:
    """Yield a place for a new file, which gets its name when the block ends well. Raises `OperatorError`, `OSError`."""
    if os.path.lexists(path):
        raise _exists(path)
    _remove_leftovers(path)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=UNFINISHED, dir=path.parent))
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder / path.name
        _give_name(folder / path.name, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def _give_name(made: Path, path: Path) -> None:
    try:
        os.link(made, path)  # unlike a rename, never over a file that came meanwhile
    except FileExistsError:
        raise _exists(path) from None
    except OSError:  # a disk without hard links
        made.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _remove_leftovers(path: Path) -> None:
    """Remove what a killed backup to the same file left. One that is still being made is locked."""
    for folder in path.parent.glob(f".{glob.escape(path.name)}.*{UNFINISHED}"):
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(handle)


def _exists(path: Path) -> OperatorError:
    return OperatorError("{path} exists already and is not overwritten: name another file.", path=str(path))
