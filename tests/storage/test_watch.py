"""The database's files are removed or replaced while they are open: nothing may be acknowledged that is lost."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import StoreDown
from storage.database import Database
from storage.store import Store, StoreConfig
from storage.watch import Watch
from tests.storage.things import ask, image


def remove(path: Path) -> None:
    path.rename(path.with_name("moved.db"))


def replace_by_a_copy(path: Path) -> None:
    shutil.copy(path, path.with_name("copy.db"))
    path.rename(path.with_name("moved.db"))
    path.with_name("copy.db").rename(path)


def remove_the_log(path: Path) -> None:
    Path(f"{path}-wal").rename(path.with_name("moved.db"))


def remove_everything(path: Path) -> None:
    remove(path)
    for end in ("-wal", "-shm"):
        Path(f"{path}{end}").rename(path.with_name(f"moved{end}"))


@pytest.mark.parametrize("happen", [remove, replace_by_a_copy, remove_everything])
async def test_what_is_written_after_its_file_is_gone_is_not_acknowledged(
    store: Store, path: Path, caplog: pytest.LogCaptureFixture, happen: Callable[[Path], None]
) -> None:
    first = await ask(store, "t:1", "?", image("cat"), key="k1")
    happen(path)
    for work in (
        ask(store, "t:1", "lost", key="k2"),
        store.put("t", "u1", "t:1", "lost"),
        store.load("t:1"),
        store.check(),
    ):
        with pytest.raises(StoreDown):
            await work
    assert f"{path} was removed or replaced: put it back, or start the service again" in caplog.text
    path.with_name("moved.db").rename(path)
    for end in ("-wal", "-shm"):
        if (moved := path.with_name(f"moved{end}")).exists():
            moved.rename(f"{path}{end}")
    second = await ask(store, "t:1", "and now", key="k3")
    assert (await store.load("t:1")).turns == (first, second)


def copied_over(path: Path) -> None:
    shutil.copyfile(path.with_name("before.db"), path)


def other_database(path: Path) -> None:
    other = path.with_name("other.db")
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE t (a)")
    shutil.copyfile(other, path)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def foreign(path: Path) -> None:
    path.write_bytes(b"no database" * 10_000)


@pytest.mark.parametrize("happen", [copied_over, other_database, emptied, foreign])
async def test_what_is_written_after_its_file_was_overwritten_in_place_is_not_acknowledged(
    path: Path, happen: Callable[[Path], None]
) -> None:
    config = StoreConfig(url=f"sqlite+aiosqlite:///{path}")
    store = await Store.open(config, alone=True)
    await ask(store, "t:1", "?", image("cat"), key="k1")
    await store.close()
    shutil.copyfile(path, path.with_name("before.db"))
    store = await Store.open(config, alone=True)
    await ask(store, "t:1", "and this?", image("dog"), key="k2")
    inode = os.stat(path).st_ino
    happen(path)
    assert os.stat(path).st_ino == inode
    for work in (
        ask(store, "t:1", "lost", key="k3"),
        store.put("t", "u1", "t:1", "lost"),
        store.load("t:1"),
        store.check(),
    ):
        with pytest.raises(StoreDown):
            await work
    await store.close()


async def test_closing_it_twice_closes_nobody_elses_file(path: Path) -> None:
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}"), alone=True)
    await store.close()
    with path.open("rb") as handle:  # has the number of the one that was closed
        await store.close()
        assert handle.read(6) == b"SQLite"


async def test_what_sqlite_itself_writes_over_it_is_no_alarm(path: Path) -> None:
    """Growing, shrinking and emptying the log; and commands that only look, in between."""
    config = StoreConfig(url=f"sqlite+aiosqlite:///{path}")
    store = await Store.open(config, alone=True)
    for number in range(3):
        photo = replace(image("cat"), id=f"cat {number}", data=bytes(3_000_000))
        await ask(store, f"t:{number}", "?", photo, key=f"k{number}")
        other = await Store.open(config)
        await other.forget(f"t:{number}")
        await other.close()
        await store.forget(f"t:{number}")
        await ask(store, "t:9", "?", key=f"and {number}")
    assert len((await store.load("t:9")).turns) == 3
    await store.close()


async def test_a_reader_that_keeps_the_log_busy_at_the_start_is_no_alarm(path: Path) -> None:
    config = StoreConfig(url=f"sqlite+aiosqlite:///{path}")
    await (await Store.open(config)).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        await (await Store.open(config, alone=True)).close()
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM turns").fetchall()
        store = await Store.open(config, alone=True)
        await ask(store, "t:1", "?", key="k1")
    await store.database.tidy()
    await ask(store, "t:1", "?", key="k2")
    assert len((await store.load("t:1")).turns) == 2
    emptied(path)
    with pytest.raises(StoreDown):
        await store.load("t:1")
    await store.close()


async def test_a_log_that_is_removed_is_noticed_by_the_next_write(store: Store, path: Path) -> None:
    await ask(store, "t:1", "?", image("cat"), key="k1")
    remove_the_log(path)
    with pytest.raises(StoreDown):
        await ask(store, "t:1", "lost", key="k2")


async def test_a_file_that_goes_while_it_is_written_is_noticed_before_anybody_is_told(path: Path) -> None:
    database = await Database.open(f"sqlite+aiosqlite:///{path}")

    async def work(_: AsyncConnection) -> None:
        os.unlink(path)

    with pytest.raises(StoreDown):
        await database.write(work)
    await database.close()


async def test_a_log_that_sqlite_makes_anew_itself_is_no_alarm(store: Store, path: Path) -> None:
    await ask(store, "t:1", "?", image("cat"), key="k1")
    assert store.database._tidier
    await store.database._tidier.close()  # a second after the start it has a connection, too
    await store.database._engine.dispose()  # the last connection removes the log, the next one makes another
    assert "answers.db-wal" not in os.listdir(path.parent)
    other = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}"))
    await ask(other, "t:1", "?", key="k2")
    await ask(store, "t:1", "?", key="k3")
    assert len((await store.load("t:1")).turns) == 3
    await other.close()


def swap(first: Path, second: Path) -> None:
    other = first.with_name("other")
    first.rename(other)
    second.rename(first)
    other.rename(second)


async def test_a_log_that_gets_the_number_of_the_file_beside_it_is_no_alarm(store: Store, path: Path) -> None:
    """A file system gives the numbers of removed files to new ones, in any order."""
    await ask(store, "t:1", "?", image("cat"), key="k1")
    watch = Watch(path)
    assert watch.gone() is None
    swap(Path(f"{path}-wal"), Path(f"{path}-shm"))
    assert watch.gone() is None
    remove_the_log(path)
    assert watch.gone() == Path(f"{path}-wal")
    watch.close()
