"""A database moves from SQLite to PostgreSQL and back, and a backup of either becomes either."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.errors import OperatorError
from core.person import AccessRequest, Standing
from storage import backup
from storage.store import Store, StoreConfig
from storage.transfer import sqlite_url
from tests.storage.filled import fill, rows
from tests.storage.postgres import execute
from tests.storage.test_backup import change, silent
from tests.storage.test_migrations import migrated
from tests.storage.things import ask, image


@pytest.fixture
async def empty(server: str) -> AsyncIterator[str]:
    """A database in which there is nothing."""
    name = f"db_{secrets.token_hex(8)}"
    await execute(server, f"CREATE DATABASE {name}")
    yield server.rpartition("/")[0] + f"/{name}"
    await execute(server, f"DROP DATABASE {name} WITH (FORCE)")


async def test_sqlite_becomes_postgresql_and_sqlite_again_row_by_row(
    store: Store, path: Path, tmp_path: Path, empty: str
) -> None:
    await fill(store)
    counts = await backup.move(sqlite_url(path), empty, silent)
    kept = {name: len(found) for name, found in rows(path).items() if name != "growing_answers"}
    assert kept == {**counts, "alembic_version": 1}
    await backup.move(empty, sqlite_url(tmp_path / "back.db"), silent)
    assert rows(tmp_path / "back.db") == rows(path)


async def test_what_comes_after_the_copy_gets_numbers_of_its_own(store: Store, path: Path, empty: str) -> None:
    await fill(store)
    await backup.move(sqlite_url(path), empty, silent)
    moved = await Store.open(StoreConfig(url=empty, ratings=True), store.clock)
    assert await moved.load("telegram:8:0") == await store.load("telegram:8:0")
    for number in range(3):
        await ask(moved, "telegram:8:0", "And now?", image(f"new {number}"), key=f"new {number}")
        assert await moved.put("telegram", f"put {number}", "telegram:8:0", "?") is not None
        await moved.remember_file(f"file {number}", "telegram:8:0", [image("new").id])
    await moved.close()


async def test_a_backup_of_postgresql_is_made_while_it_is_used_and_becomes_either(
    store: Store, path: Path, tmp_path: Path, empty: str, server: str
) -> None:
    await fill(store)
    await backup.move(sqlite_url(path), empty, silent)
    used = await Store.open(StoreConfig(url=empty))
    await backup.back_up(empty, tmp_path / "b", {}, silent)
    await used.close()
    await backup.restore(tmp_path / "b", sqlite_url(tmp_path / "new.db"), silent)
    assert rows(tmp_path / "new.db") == rows(path)
    other = empty + "_2"
    await execute(server, f"CREATE DATABASE {other.rpartition('/')[2]}")
    await (await Store.open(StoreConfig(url=other))).close()  # a start has made its tables
    await backup.restore(tmp_path / "b", other, silent)
    await backup.move(other, sqlite_url(tmp_path / "again.db"), silent)
    assert rows(tmp_path / "again.db") == rows(path)


async def test_postgresql_that_is_in_use_or_not_empty_is_left_as_it_is(
    store: Store, path: Path, tmp_path: Path, empty: str
) -> None:
    await fill(store)
    await backup.back_up(sqlite_url(path), tmp_path / "b", {}, silent)
    used = await Store.open(StoreConfig(url=empty))
    for work in (
        backup.restore(tmp_path / "b", empty, silent),
        backup.move(sqlite_url(path), empty, silent),
        backup.move(empty, sqlite_url(tmp_path / "new.db"), silent),
    ):
        with pytest.raises(OperatorError, match="Others are connected"):
            await work
    await used.put("telegram", "u1", "telegram:1:0", "waits")
    await used.close()
    with pytest.raises(OperatorError, match="is not empty"):
        await backup.restore(tmp_path / "b", empty, silent)
    used = await Store.open(StoreConfig(url=empty))
    assert [message.payload for message in await used.unfinished("telegram")] == ["waits"]
    await used.close()


async def test_what_postgresql_cannot_hold_is_told_and_nothing_is_kept(path: Path, empty: str) -> None:
    migrated(path)
    change(path, "INSERT INTO conversations VALUES ('telegram:8:0', 'a' || char(0), 0, 2, 1, 1, NULL, NULL, 0, NULL)")
    with pytest.raises(OperatorError, match="cannot be written: .*0x00"):
        await backup.move(sqlite_url(path), empty, silent)
    change(path, "UPDATE conversations SET title = ''")
    await backup.move(sqlite_url(path), empty, silent)


async def test_a_table_of_others_in_the_same_database_stays(path: Path, empty: str) -> None:
    migrated(path)
    await execute(empty, "CREATE TABLE of_others (id INTEGER)")
    await backup.move(sqlite_url(path), empty, silent)
    await execute(empty, "INSERT INTO of_others VALUES (1)")


async def test_an_address_where_nobody_answers_is_told(server: str, path: Path) -> None:
    migrated(path)
    place = server.rpartition("/")[0]
    for url in (f"{place}/none", "postgresql+asyncpg://tester:secret@127.0.0.1:1/postgres"):
        with pytest.raises(OperatorError, match="cannot be written") as told:
            await backup.move(sqlite_url(path), url, silent)
        assert "secret" not in str(told.value)
        with pytest.raises(OperatorError, match="cannot be read"):
            await backup.move(url, sqlite_url(path.with_name("new.db")), silent)


async def test_strangers_are_let_in_as_on_sqlite(empty: str) -> None:
    store, replica = [await Store.open(StoreConfig(url=empty)) for _ in range(2)]
    asked = [await store.put("telegram", f"k{number}", "telegram:8:0", f"payload {number}") for number in range(3)]
    first, second, third = [message for message in asked if message is not None]
    assert await store.meet("8", first) == AccessRequest(held=True, due=True)
    assert await replica.meet("8", second) == AccessRequest(held=True, due=False)
    await store.finish([first.id, second.id])
    assert [(known.id, known.standing) for known in await store.known_people(9)] == [("8", Standing.WAITING)]
    assert await replica.decide("telegram", "8", Standing.IGNORED, Standing.ALLOWED) == (False, ())
    done, held = await replica.decide("telegram", "8", Standing.ALLOWED)
    assert done
    assert [message.key for message in held] == ["k0", "k1"]
    assert [message.key for message in await store.unfinished("telegram")] == ["k0", "k1", "k2"]
    assert await store.meet("8", third) == AccessRequest()
    assert await store.standings("telegram", ["8", "9"]) == {"8": Standing.ALLOWED}
    await store.decide("telegram", "8", Standing.BLOCKED)
    await store.decide("slack", "U1", Standing.BLOCKED)
    assert [known.id for known in await replica.known_people(9, "telegram")] == ["8"]
    await store.decide("telegram", "8", None)
    assert await store.standings("telegram", ["8"]) == {}
    await store.close()
    await replica.close()


async def test_what_strangers_can_make_postgresql_keep_is_bounded(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.people.UNDECIDED_PEOPLE", 5)
    store = await Store.open(StoreConfig(url=empty))
    album = [await store.put("telegram", f"a{number}", "telegram:8:0", "photo", "album") for number in range(3)]
    held = []
    for message in album:
        assert message is not None
        held.append((await store.meet("8", message)).held)
    await store.finish([message.id for message in album if message])
    assert held[0]
    for number in range(9):
        message = await store.put("telegram", f"o{number}", "telegram:9:0", "?")
        assert message is not None
        await store.meet(str(100 + number), message)
    assert len(await store.known_people(99)) == 5
    assert (await store.decide("telegram", "8", Standing.ALLOWED))[1] == []  # too old, and dropped with its messages
    await store.close()
