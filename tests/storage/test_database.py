"""The database under power cuts, other writers, full disks and cancelled tasks."""

import asyncio
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncConnection

from core.answer import Answer, Ending
from core.conversation import Question
from core.errors import Busy, OperatorError, StoreDown
from storage.database import Database
from storage.lock import hold
from storage.store import Store, StoreConfig
from storage.write_queue import Priority, WriteQueue
from tests.storage.things import ask, image, numbers
from tests.storage.writer import PICTURES

ROOT = Path(__file__).parents[2]


def modes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}


def pragma(path: Path, name: str) -> object:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]
    finally:
        connection.close()


async def test_a_kill_at_any_moment_leaves_whole_conversations(path: Path) -> None:
    url, random = f"sqlite+aiosqlite:///{path}", Random(5)
    for start in range(3):
        saved, forgotten = _write_and_kill(url, str(start), random.uniform(0.02, 0.5))
        assert pragma(path, "integrity_check") == "ok"
        store = await Store.open(StoreConfig(url=url))
        conversations = [await store.load(f"c:{number}") for number in range(3)]
        turns = {turn.text: turn for conversation in conversations for turn in conversation.turns}
        lost = [key for key, conversation_id in saved.items() if key not in turns and conversation_id not in forgotten]
        assert saved
        assert not lost
        assert all(len(turn.pictures) == PICTURES for turn in turns.values())
        assert all(turn.answer and turn.answer.text == text for text, turn in turns.items())
        for conversation in conversations:
            shown = [number for turn in conversation.turns for number in numbers(turn)]
            assert shown == list(range(1, len(shown) + 1))
        await store.close()
    assert _dangling(path) == 0


def _write_and_kill(url: str, start: str, seconds: float) -> tuple[dict[str, str], set[str]]:
    """What the writer said was saved, and which conversations it may have forgotten since."""
    command = [sys.executable, "-m", "tests.storage.writer", url, start]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines = [process.stdout.readline()]
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    saved: dict[str, str] = {}
    for line in lines:
        match line.split():
            case ["saved", key, conversation_id]:
                saved[key] = conversation_id
            case ["forgot", conversation_id]:
                saved = {key: where for key, where in saved.items() if where != conversation_id}
    number = sum(line.startswith("saved") for line in lines)  # the turn that the kill interrupted
    return saved, {f"c:{(number + 1) % 3}"} if number % 5 == 4 else set()


def _dangling(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        query = "SELECT count(*) FROM images WHERE id NOT IN (SELECT image_id FROM pictures WHERE image_id IS NOT NULL)"
        return int(connection.execute(query).fetchone()[0])
    finally:
        connection.close()


async def test_the_file_is_prepared_for_power_cuts_and_other_readers(store: Store, path: Path) -> None:
    await store.check()
    assert pragma(path, "journal_mode") == "wal"
    assert pragma(path, "auto_vacuum") == 2
    assert path.parent.stat().st_mode & 0o077 == 0


async def test_the_room_of_what_is_forgotten_is_given_back_in_few_steps(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask(store, "t:1", "?", image("cat", original=Random(1).randbytes(4_000_000)), key="k1")
    slots = 0
    slot = WriteQueue.slot

    def counted(queue: WriteQueue, priority: Priority) -> AbstractAsyncContextManager[None]:
        nonlocal slots
        slots += 1
        return slot(queue, priority)

    monkeypatch.setattr(WriteQueue, "slot", counted)
    await store.forget("t:1")
    assert pragma(path, "freelist_count") == 0
    assert slots < 20  # of a thousand pages


async def test_nobody_else_may_read_the_files_whatever_the_umask_and_whoever_made_the_folder(path: Path) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o777)
    url, before = f"sqlite+aiosqlite:///{path}", os.umask(0)
    try:
        for _ in range(2):
            with hold(url):
                store = await Store.open(StoreConfig(url=url))
                await ask(store, "t:1", "?", image("cat"), key="k1")
                assert modes(path.parent) == {path.name + end: 0o600 for end in ("", "-wal", "-shm", ".lock")}
                await store.close()
            os.chmod(path, 0o644)  # as versions before left it
    finally:
        os.umask(before)


async def test_forgotten_words_leave_the_log_also_when_somebody_read_meanwhile(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.tidier.RETRY_SECONDS", (0.05,))
    monkeypatch.setattr("storage.tidier.READER_WAITS_MS", (0, 0))
    await ask(store, "t:1", "what only one person may know", image("cat"), key="k1")
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM turns").fetchone()
    await store.forget("t:1")
    assert b"only one person" in _log_and_file(path), "who reads needs it"
    await asyncio.sleep(0.3)  # several attempts, in vain
    reader.close()
    async with asyncio.timeout(60):
        while b"only one person" in _log_and_file(path):
            await asyncio.sleep(0.02)


def _log_and_file(path: Path) -> bytes:
    return path.with_name(path.name + "-wal").read_bytes() + path.read_bytes()


async def test_what_a_killed_run_left_in_the_log_is_emptied_by_the_next_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite+aiosqlite:///{path}"
    monkeypatch.setattr("storage.tidier.RETRY_SECONDS", (600,))
    killed = await Store.open(StoreConfig(url=url))
    await ask(killed, "t:1", "what only one person may know", key="k1")
    reader = sqlite3.connect(path, isolation_level=None)  # as long as anybody has it open, closing empties nothing
    reader.execute("SELECT count(*) FROM turns").fetchone()
    await killed.close()
    log = path.with_name(path.name + "-wal")
    assert log.stat().st_size
    monkeypatch.setattr("storage.tidier.RETRY_SECONDS", (0.05,))
    store = await Store.open(StoreConfig(url=url))
    async with asyncio.timeout(60):
        while log.stat().st_size:
            await asyncio.sleep(0.02)
    reader.close()
    await store.close()


async def test_a_removal_stands_where_its_room_cannot_be_given_back(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("storage.sql_engine.BUSY_TIMEOUT_MS", 50)
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}"))
    await ask(store, "t:1", "?", image("cat", original=Random(1).randbytes(100_000)), key="k1")
    other = sqlite3.connect(path, isolation_level=None)

    class Locks:  # the database, right after the removal
        def forget(self, conversation_id: str | None, image_ids: Collection[str]) -> None:
            other.execute("BEGIN IMMEDIATE")

        def keep_only(self, conversation_ids: Collection[str], image_ids: Collection[str]) -> None: ...

    store.computed = Locks()
    await store.forget("t:1")
    other.close()
    assert "the database could not be tidied: database is locked" in caplog.text
    assert not (await store.load("t:1")).turns
    await store.close()


async def test_a_server_that_cannot_be_reached_is_a_store_that_is_down(path: Path) -> None:
    async def refuse(_: AsyncConnection) -> None:
        raise ConnectionRefusedError  # as PostgreSQL's driver does, and SQLAlchemy lets it through

    database = await Database.open(f"sqlite+aiosqlite:///{path}")
    for work in (database.read, database.write):
        with pytest.raises(StoreDown):
            await work(refuse)
    await database.close()


async def test_a_write_waits_for_another_process(store: Store, path: Path) -> None:
    other = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, other.execute, ["COMMIT"])
    release.start()
    turn = await ask(store, "t:1", "?", image("cat"), key="k1")
    release.join()
    other.close()
    assert (await store.load("t:1")).turns == (turn,)


async def test_two_stores_write_the_same_message_once(store: Store, path: Path) -> None:
    other = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}"))
    keys = [f"k{number}" for number in range(20)]
    results = await asyncio.gather(*[side.put("t", key, "t:1", "x") for key in keys for side in (store, other)])
    assert sum(result is not None for result in results) == len(keys)
    await other.close()


async def test_many_conversations_are_written_at_once(store: Store) -> None:
    await asyncio.gather(*[ask(store, f"t:{n % 10}", str(n), image(str(n)), key=str(n)) for n in range(40)])
    assert sum([len((await store.load(f"t:{n}")).turns) for n in range(10)]) == 40


async def test_a_cancelled_save_is_whole_or_nothing_and_blocks_nobody(store: Store) -> None:
    asked = (await store.load("t:1")).ask(Question("?", (image("cat"), image("dog"))))
    turn = replace(asked.turns[-1], answer=Answer("yes", Ending.DONE))
    for steps in range(60):
        task = asyncio.create_task(store.save("t:1", turn, f"k{steps}"))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await asyncio.wait_for(ask(store, "t:2", "?", key="last"), 60)
    turns = (await store.load("t:1")).turns
    assert all(numbers(saved) == [1, 2] for saved in turns)


@pytest.mark.parametrize("number", range(40))
def test_opening_can_be_given_up_at_any_moment_and_leaves_nothing_running(tmp_path: Path, number: int) -> None:
    """What still ran could keep the process from ending: asyncio cancels it once more and waits for it."""

    async def work() -> None:
        task = asyncio.create_task(Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{tmp_path}/answers.db")))
        await asyncio.sleep(number / 800)
        task.cancel()
        for store in await asyncio.gather(task, return_exceptions=True):
            if isinstance(store, Store):
                await store.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(work())


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file of this process grows beyond so many bytes."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)


async def test_a_check_finds_out_that_the_disk_is_full_also_when_nothing_is_said(store: Store) -> None:
    await store.check()
    with files_up_to(0), pytest.raises(StoreDown):
        await store.check()
    await store.check()
    assert not await store.standings("", [])


async def test_a_full_disk_is_reported_and_harms_nothing(store: Store, path: Path) -> None:
    first = await ask(store, "t:1", "?", image("cat"), key="k1")
    with files_up_to(200_000), pytest.raises(Busy, match="try again"):
        await ask(store, "t:1", "large", image("dog" * 200_000), key="k2")
    second = await ask(store, "t:1", "large", image("dog" * 200_000), key="k2")
    assert (await store.load("t:1")).turns == (first, second)
    assert pragma(path, "integrity_check") == "ok"


async def test_what_people_said_is_not_logged_when_the_database_fails(
    store: Store, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE turn_pictures")
    connection.commit()
    connection.close()
    with pytest.raises(Busy):
        await ask(store, "t:1", "a secret", image("cat"), key="k1")
    assert "turn_pictures" in caplog.text
    assert "a secret" not in caplog.text


@pytest.mark.parametrize(
    "url", ["answers.db", "nosuch://x", "sqlite+nosuch:///x", "sqlite+aiosqlite:////proc/nowhere/x.db"]
)
async def test_an_address_that_cannot_work_is_explained(url: str) -> None:
    with pytest.raises(OperatorError, match=r"database"):
        await Store.open(StoreConfig(url=url))


async def test_a_file_that_is_no_database_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database at all, but something else " * 100)
    with pytest.raises(OperatorError, match="file is not a database"):
        await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}"))


async def test_a_write_that_meets_a_full_disk_is_tried_again_when_something_gave_way(store: Store) -> None:
    """SQLite's own limit of pages is what a full disk is to it."""
    await ask(store, "t:1", "?", key="k0")
    raised: list[int] = []

    def limit(pages: int) -> None:
        def prepare(connection: Connection) -> None:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

        event.listen(store.database._engine.sync_engine, "begin", prepare)

    def make_room() -> bool:
        raised.append(1)
        limit(1000)
        return True

    limit(1)  # no page more than there are
    with pytest.raises(StoreDown):
        await ask(store, "t:1", "?", image("dog", original=bytes(500_000)), key="k1")
    store.make_room_with(make_room)
    await ask(store, "t:1", "?", image("dog", original=bytes(500_000)), key="k1")
    assert len((await store.load("t:1")).turns) == 2
    store.make_room_with(lambda: False)
    limit(1)
    with pytest.raises(StoreDown):
        await ask(store, "t:1", "?", image("bird", original=bytes(500_000)), key="k2")
    assert raised == [1]


async def test_a_burst_of_readers_leaves_few_connections_open_each_with_little_memory(path: Path) -> None:
    """Each is a thread with a cache of the file. They stay for as long as the service, whoever caused the burst."""
    database, before = await Database.open(f"sqlite+aiosqlite:///{path}"), threading.active_count()
    together = asyncio.Barrier(16)

    async def read(connection: AsyncConnection) -> int:
        await together.wait()
        return int((await connection.exec_driver_sql("PRAGMA cache_size")).scalar_one())

    try:
        cache_sizes = await asyncio.gather(*(database.read(read) for _ in range(16)))
        async with asyncio.timeout(60):  # a thread ends when its connection has been closed
            while threading.active_count() > before + 4:
                await asyncio.sleep(0.01)
        assert all(-1024 <= size < 0 for size in cache_sizes), "in KiB where negative, else in pages"
    finally:
        await database.close()
