"""A backup of everything, made while the service works, and back into an empty database."""

import asyncio
import fcntl
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import Engine, event

from core.errors import OperatorError
from storage import backup
from storage.store import Store, StoreConfig
from storage.transfer import snapshot, sqlite_url
from tests.storage.filled import fill, rows
from tests.storage.test_lock import HOLD
from tests.storage.test_migrations import migrated
from tests.storage.things import ask, image

ROOT = Path(__file__).parents[2]
BACK_UP = """
import asyncio, resource, sys
from pathlib import Path
from core.errors import OperatorError
from storage import backup
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try:
    asyncio.run(backup.back_up(sys.argv[1], Path(sys.argv[2]), {}, lambda what, done, total: None))
except OperatorError as error:
    print(error)
"""
BE_KILLED = """
import asyncio, os, signal, sys
from storage.store import Store, StoreConfig
from tests.storage.things import ask, image
async def main():
    store = await Store.open(StoreConfig(url=sys.argv[1]))
    await ask(store, "c", "What is it?", image("cat"), key="k1")
    os.kill(os.getpid(), signal.SIGKILL)  # before it empties its log
asyncio.run(main())
"""


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def is_there(file: Path) -> bool:
    return file.exists()


def start(*words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def silent(what: str, done: int, total: int) -> None:
    pass


async def back_up(database: Path, file: Path) -> Path:
    await backup.back_up(sqlite_url(database), file, {"made": "today"}, silent)
    return file


@pytest.fixture
async def made(store: Store, path: Path, tmp_path: Path) -> Path:
    await fill(store)
    return await back_up(path, tmp_path / "answers.backup")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def any_backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("any")
    store = await Store.open(StoreConfig(url=sqlite_url(folder / "answers.db"), ratings=True))
    await fill(store)
    await store.close()
    return await back_up(folder / "answers.db", folder / "answers.backup")


@pytest.fixture
def copied(any_backup: Path, tmp_path: Path) -> Path:
    """Return a backup of some database, where it does not matter of which: each takes more than a second to make."""
    return Path(shutil.copy(any_backup, tmp_path))


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return tmp_path / "elsewhere" / "answers.db"


async def test_what_grows_for_readers_at_another_replica_is_in_no_backup(
    store: Store, path: Path, tmp_path: Path, new: Path
) -> None:
    await fill(store)
    await store.grow_answer("web:k1", "What nobody keeps")
    made = await back_up(path, tmp_path / "answers.backup")
    assert b"What nobody keeps" not in made.read_bytes()
    await backup.restore(made, sqlite_url(new), silent)
    assert rows(new)["growing_answers"] == []


async def test_a_backup_of_a_running_service_brings_every_row_back(
    store: Store, path: Path, made: Path, new: Path
) -> None:
    about, counts, _ = await backup.restore(made, sqlite_url(new), silent)
    assert about == {"made": "today"}
    assert rows(new) == rows(path)
    assert counts["turns"] == 4
    assert "growing_answers" not in counts
    restored = await Store.open(StoreConfig(url=sqlite_url(new), ratings=True), store.clock)
    assert await restored.load("telegram:8:0") == await store.load("telegram:8:0")
    await ask(restored, "telegram:8:0", "And now?", image("cat"), key="k9")
    await restored.close()


async def test_only_its_owner_may_read_a_backup_and_what_is_restored(made: Path, new: Path) -> None:
    await backup.restore(made, sqlite_url(new), silent)
    assert [os.stat(file).st_mode & 0o777 for file in (made, new)] == [0o600, 0o600]


async def test_backups_while_others_write_and_forget_are_each_of_one_moment(path: Path, tmp_path: Path) -> None:
    writer = start("-m", "tests.storage.writer", sqlite_url(path), "x")
    try:
        assert writer.stdout
        saved: list[str] = []
        for number in range(4):
            while (line := writer.stdout.readline().split())[0] != "saved" or len(saved) < 4 * number + 1:
                saved.append(line[1])
            file = await asyncio.to_thread(asyncio.run, back_up(path, tmp_path / f"backup {number}"))
            restored = tmp_path / f"restored {number}.db"
            await backup.restore(file, sqlite_url(restored), silent)
            database = sqlite3.connect(restored)
            shown = "SELECT turns.key, count(images.id) FROM turns LEFT JOIN turn_pictures ON turn_id = turns.id "
            shown += "LEFT JOIN pictures ON pictures.id = picture_id LEFT JOIN images ON images.id = pictures.image_id"
            found = dict(database.execute(f"{shown} GROUP BY turns.key").fetchall())
            assert found and set(found.values()) == {3}
            assert database.execute("PRAGMA foreign_key_check").fetchall() == []
            assert line[1] in {key for (key,) in database.execute("SELECT key FROM messages")}
            database.close()
    finally:
        writer.kill()
        writer.wait()
        if writer.stdout:
            writer.stdout.close()


async def test_an_existing_file_is_never_overwritten(store: Store, path: Path, tmp_path: Path) -> None:
    file = tmp_path / "important"
    file.write_text("something else", "utf-8")
    link = tmp_path / "link"
    link.symlink_to("nowhere")
    for taken in (file, link):
        with pytest.raises(OperatorError, match="exists already"):
            await back_up(path, taken)
    assert file.read_text("utf-8") == "something else"

    def comes_meanwhile(what: str, done: int, total: int) -> None:
        (tmp_path / "late").write_text("of another one", "utf-8")

    with pytest.raises(OperatorError, match="exists already"):
        await backup.back_up(sqlite_url(path), tmp_path / "late", {}, comes_meanwhile)
    assert (tmp_path / "late").read_text("utf-8") == "of another one"
    assert names(tmp_path) == ["folder", "important", "late", "link"]


@pytest.mark.parametrize("limit", [20_000, 200_000, 900_000])
async def test_a_full_disk_is_told_and_leaves_nothing(store: Store, path: Path, tmp_path: Path, limit: int) -> None:
    """The system refuses to let the file grow any further, as it does when a quota is used up."""
    await fill(store)
    file = tmp_path / "there" / "backup"
    file.parent.mkdir()
    command = [sys.executable, "-c", BACK_UP, sqlite_url(path), str(file), str(limit)]
    told = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "the disk is full. Nothing was kept." in told.stdout
    assert names(file.parent) == []


async def test_a_disk_without_room_is_told_before_anything_is_written(
    store: Store, path: Path, made: Path, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.transfer.free", lambda folder: 1_000_000)
    with pytest.raises(OperatorError, match=r"There is no room: about 0\.00 GB are needed"):
        await back_up(path, path.with_name("another"))
    with pytest.raises(OperatorError, match="There is no room"):
        await backup.restore(made, sqlite_url(new), silent)
    assert not is_there(new)


@pytest.mark.parametrize("step", ["Copying images", "Comparing images", "Checking turns"])
async def test_an_interrupted_backup_leaves_nothing(store: Store, path: Path, tmp_path: Path, step: str) -> None:
    await fill(store)

    def interrupted(what: str, done: int, total: int) -> None:
        if what == step:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await backup.back_up(sqlite_url(path), tmp_path / "backup", {}, interrupted)
    assert names(tmp_path) == ["folder"]


async def test_what_a_killed_backup_left_goes_with_the_next_one_and_a_running_one_stays(
    store: Store, path: Path, tmp_path: Path
) -> None:
    for name in (".b.killed.part", ".b.running.part", ".c.other.part"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "b").write_bytes(b"half")
    running = os.open(tmp_path / ".b.running.part", os.O_RDONLY)
    fcntl.flock(running, fcntl.LOCK_EX)
    await back_up(path, tmp_path / "b")
    os.close(running)
    assert names(tmp_path) == [".b.running.part", ".c.other.part", "b", "folder"]


def cut(file: Path, share: float) -> None:
    os.truncate(file, int(file.stat().st_size * share))


def spoil(file: Path, what: str, by: str) -> None:
    data = file.read_bytes()
    assert what.encode() in data
    file.write_bytes(data.replace(what.encode(), by.encode(), 1))


def change(file: Path, statement: str) -> None:
    database = sqlite3.connect(file)
    with database:
        database.execute(statement)
    database.close()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda file: cut(file, 0), "is not a backup that this program made"),
        (lambda file: cut(file, 0.0001), "is damaged or cut off"),
        (lambda file: cut(file, 0.5), "is damaged or cut off"),
        (lambda file: os.truncate(file, file.stat().st_size - 1), "is damaged or cut off"),
        (lambda file: os.truncate(file, file.stat().st_size - 4096), "is damaged or cut off"),
        (lambda file: spoil(file, "as it was sent", "as it was SENT"), "is damaged or cut off"),
        (lambda file: spoil(file, "一只猫", "一只狗"), "is damaged or cut off"),
        (lambda file: spoil(file, "telegram:8:0", "telegram:7:0"), "is damaged or cut off"),
        (lambda file: change(file, "DELETE FROM ended_sessions"), "is damaged or cut off"),
        (lambda file: change(file, "DELETE FROM backup"), "is damaged or cut off"),
        (lambda file: change(file, "DROP TABLE alembic_version"), "not a database of this program"),
        (lambda file: change(file, "DROP TABLE backup"), "is not a backup that this program made.*copy-database"),
        (lambda file: change(file, "UPDATE alembic_version SET version_num = '9999'"), "made by a newer version"),
        (lambda file: file.write_bytes(b"PK\3\4 something else" * 9999), "is not a backup that this program made"),
        (lambda file: file.unlink(), "cannot be read: No such file"),
        (lambda file: (file.unlink(), file.mkdir()), "cannot be read: Is a directory"),
    ],
)
async def test_a_file_that_is_no_whole_backup_is_refused_before_anything_is_written(
    copied: Path, new: Path, damage: Callable[[Path], Any], sentence: str
) -> None:
    damage(copied)
    with pytest.raises(OperatorError, match=sentence):
        await backup.restore(copied, sqlite_url(new), silent)
    assert not is_there(new)


async def test_a_backup_on_a_disk_that_cannot_be_written_is_read(made: Path, new: Path, path: Path) -> None:
    os.chmod(made, 0o400)
    os.chmod(made.parent, 0o500)
    try:
        await backup.restore(made, sqlite_url(path.parent / "new.db"), silent)
    finally:
        os.chmod(made.parent, 0o700)
    assert rows(path.parent / "new.db") == rows(path)


async def test_a_database_with_something_in_it_is_left_as_it_is(copied: Path, new: Path) -> None:
    other = await Store.open(StoreConfig(url=sqlite_url(new)))
    await other.put("telegram", "u1", "telegram:1:0", "a question that waits")
    await other.close()
    with pytest.raises(OperatorError, match="is not empty"):
        await backup.restore(copied, sqlite_url(new), silent)
    other = await Store.open(StoreConfig(url=sqlite_url(new)))
    assert [message.payload for message in await other.unfinished("telegram")] == ["a question that waits"]
    await other.close()


async def test_a_database_that_a_start_has_made_and_nobody_used_is_empty(made: Path, new: Path, path: Path) -> None:
    await (await Store.open(StoreConfig(url=sqlite_url(new)), alone=True)).close()
    await backup.restore(made, sqlite_url(new), silent)
    assert rows(new) == rows(path)


async def test_a_database_of_something_else_is_left_as_it_is(copied: Path, new: Path) -> None:
    new.parent.mkdir()
    change(new, "CREATE TABLE messages (id INTEGER)")
    with pytest.raises(OperatorError, match="cannot be written"):
        await backup.restore(copied, sqlite_url(new), silent)
    change(new, "INSERT INTO messages VALUES (1)")


async def test_a_failed_restore_changes_nothing(copied: Path, new: Path) -> None:
    def interrupted(what: str, done: int, total: int) -> None:
        if what.startswith("Comparing turns"):
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await backup.restore(copied, sqlite_url(new), interrupted)
    assert not is_there(new)
    await (await Store.open(StoreConfig(url=sqlite_url(new)))).close()
    with pytest.raises(asyncio.CancelledError):
        await backup.restore(copied, sqlite_url(new), interrupted)
    store = await Store.open(StoreConfig(url=sqlite_url(new)))
    assert not (await store.summaries()).summaries
    await store.close()


async def test_a_running_service_is_not_restored_into_nor_copied_from(made: Path, new: Path, path: Path) -> None:
    running = start("-c", HOLD, sqlite_url(new))
    try:
        assert running.stdout
        assert running.stdout.readline() == "held\n"
        with pytest.raises(OperatorError, match=f"process {running.pid} on "):
            await backup.restore(made, sqlite_url(new), silent)
        for source, target in ((new, path), (path, new)):
            with pytest.raises(OperatorError, match=f"process {running.pid} on "):
                await backup.move(sqlite_url(source), sqlite_url(target), silent)
    finally:
        running.kill()
        running.communicate()


async def test_a_copy_has_every_row_and_what_differs_is_told(store: Store, path: Path, new: Path) -> None:
    await fill(store)
    await backup.move(sqlite_url(path), sqlite_url(new), silent)
    assert rows(new) == rows(path)

    def flip(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> Any:
        if statement.startswith("INSERT INTO images"):
            parameters = [
                tuple(b"flipped" if value == image("bird").data else value for value in row) for row in parameters
            ]
        return statement, parameters

    event.listen(Engine, "before_cursor_execute", flip, retval=True)
    try:
        with pytest.raises(OperatorError, match="A row of the table images is not the same"):
            await backup.move(sqlite_url(path), sqlite_url(new.with_name("other.db")), silent)
    finally:
        event.remove(Engine, "before_cursor_execute", flip)
    assert not is_there(new.with_name("other.db"))


async def test_a_database_is_not_copied_over_itself(store: Store, path: Path) -> None:
    for other in (sqlite_url(path), f"sqlite+aiosqlite:///{path.parent}/../folder/answers.db"):
        with pytest.raises(OperatorError, match="same database|works with the database"):
            await backup.move(sqlite_url(path), other, silent)


async def test_a_backup_of_an_older_versions_database_is_one_of_this_version(
    tmp_path: Path, path: Path, new: Path
) -> None:
    migrated(path, "0004")
    change(path, "INSERT INTO conversations VALUES ('telegram:8:0', 'What?', 0, 2, 1e9, 1e9)")
    change(path, "INSERT INTO images VALUES ('i', 64, 32, 640, 320, x'00', NULL)")
    change(path, "INSERT INTO pictures VALUES (7, 'telegram:8:0', 0, 1, 'i')")
    change(path, "INSERT INTO blocked VALUES ('12', 1e9)")
    await backup.restore(await back_up(path, tmp_path / "b"), sqlite_url(new), silent)
    store = await Store.open(StoreConfig(url=sqlite_url(new)))
    assert [picture.number for picture in (await store.load("telegram:8:0")).waiting] == [1]
    assert await store.standings("telegram", ["12"])
    await store.close()


async def test_a_backup_that_an_older_version_made_is_upgraded(tmp_path: Path, new: Path) -> None:
    """Its tables lack what came later, and its fingerprint is of what it has."""
    older = tmp_path / "older"
    migrated(older, "0009")
    change(older, "INSERT INTO blocked VALUES ('12', 1e9)")
    change(older, "CREATE TABLE backup (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
    async with snapshot(sqlite_url(older)) as connection:
        print_ = await backup._fingerprint(connection, silent)
    change(older, f"INSERT INTO backup VALUES ('fingerprint', '{print_}')")
    await backup.restore(older, sqlite_url(new), silent)
    store = await Store.open(StoreConfig(url=sqlite_url(new)))
    assert await store.standings("telegram", ["12"])
    await store.close()


async def test_a_service_that_was_killed_is_backed_up_with_what_is_only_in_its_log(path: Path, tmp_path: Path) -> None:
    killed = start("-c", BE_KILLED, sqlite_url(path))
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert path.with_name("answers.db-wal").stat().st_size
    await backup.restore(await back_up(path, tmp_path / "b"), sqlite_url(tmp_path / "new.db"), silent)
    store = await Store.open(StoreConfig(url=sqlite_url(tmp_path / "new.db")))
    assert await store.answered("k1") is not None
    await store.close()


async def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="There is no database"):
        await back_up(tmp_path / "none.db", tmp_path / "b")
    with pytest.raises(OperatorError, match="in memory"):
        await backup.back_up("sqlite+aiosqlite://", tmp_path / "b", {}, silent)
    with pytest.raises(OperatorError, match="not a database address"):
        await backup.move("nonsense", sqlite_url(tmp_path / "b"), silent)
    assert names(tmp_path) == []


async def test_a_file_on_a_disk_without_hard_links_gets_its_name(
    store: Store, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert (await back_up(path, tmp_path / "b")).is_file()
    shutil.copy(tmp_path / "b", tmp_path / "c")
    await backup.restore(tmp_path / "c", sqlite_url(tmp_path / "new.db"), silent)
