"""The database's files are removed or replaced while they are open: nothing may be acknowledged that is lost."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import StoreDown
from storage.database import Database
from storage.store import Config, Store
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
    await store._database._engine.dispose()  # the last connection removes the log, the next one makes another
    assert "answers.db-wal" not in os.listdir(path.parent)
    other = await Store.open(Config(url=f"sqlite+aiosqlite:///{path}"))
    await ask(other, "t:1", "?", key="k2")
    await ask(store, "t:1", "?", key="k3")
    assert len((await store.load("t:1")).turns) == 3
    await other.close()
