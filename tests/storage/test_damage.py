"""Database files that are damaged: a sentence at the start, or for the one who asks; never a traceback."""

import asyncio
import random
import shutil
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from core.errors import BotError, OperatorError
from storage import database
from storage.store import Store, StoreConfig
from tests.storage.things import ask, image

PAGE = 4096  # bytes
Damage = Callable[[bytearray, random.Random], None]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which much was said."""
    path = tmp_path_factory.mktemp("whole") / "answers.db"

    async def write() -> None:
        store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}", ratings=True))
        for number in range(30):
            picture = image(f"{number}", original=random.Random(number).randbytes(9_000))
            await ask(store, f"web:{number % 7}", f"Question {number}?", picture, key=f"k{number}")
            await store.put("web", f"u{number}", f"web:{number % 7}", '{"query": "?"}')
            await store.rate(f"k{number}", 1)
        await store.close()

    asyncio.run(write())
    return path


async def read_everything(path: Path) -> None:
    """Raises only what has a sentence for people."""
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}", ratings=True))
    try:
        works: list[Callable[[], Awaitable[object]]] = [
            store.check,
            store.summaries,
            lambda: store.unfinished("web"),
            store.rated,
            store.answered_today,
            store.expiry.expire,
            lambda: store.standings("telegram", ["1"]),
            *(lambda number=number: store.load(f"web:{number}") for number in range(7)),
            lambda: store.answered("k1"),
            lambda: store.put("web", "u99", "web:1", "?"),
            lambda: ask(store, "web:3", "And now?", image("new"), key="k99"),
            lambda: store.forget("web:2"),
        ]
        for work in works:
            try:
                await work()
            except BotError:
                continue
    finally:
        await store.close()


def cut_off(data: bytearray, dice: random.Random) -> None:
    del data[dice.randrange(100, len(data)) :]


def zero_a_page(data: bytearray, dice: random.Random) -> None:
    begin = PAGE * dice.randrange(len(data) // PAGE)
    data[begin : begin + PAGE] = bytes(PAGE)


def fill_with_noise(data: bytearray, dice: random.Random) -> None:
    begin = PAGE * dice.randrange(1, len(data) // PAGE)
    data[begin : begin + 5 * PAGE] = dice.randbytes(5 * PAGE)


def flip_some_bytes(data: bytearray, dice: random.Random) -> None:
    for _ in range(30):
        data[dice.randrange(100, len(data))] ^= 1 << dice.randrange(8)


def damaged(whole: Path, folder: Path, damage: Damage, seed: int) -> Path:
    path, data = folder / "answers.db", bytearray(whole.read_bytes())
    damage(data, random.Random(seed))
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("damage", [cut_off, zero_a_page, fill_with_noise, flip_some_bytes])
async def test_a_damaged_file_is_a_sentence_for_whoever_meets_the_damage(
    whole: Path, tmp_path: Path, damage: Damage, seed: int
) -> None:
    path = damaged(whole, tmp_path, damage, seed)
    with suppress(OperatorError):
        await read_everything(path)


async def test_a_file_whose_pages_are_damaged_does_not_start(whole: Path, tmp_path: Path) -> None:
    path = damaged(whole, tmp_path, cut_off, 1)
    with pytest.raises(OperatorError, match=r"answers\.db is damaged: .*Put a copy in its place"):
        await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}"))


async def test_a_large_file_does_not_keep_the_start_waiting(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PROGRESS_STEPS", 1)
    monkeypatch.setattr(database, "EXAMINE_SECONDS", 0.0)
    path = Path(shutil.copy(whole, tmp_path / "answers.db"))
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}"))
    monkeypatch.setattr(time, "monotonic", lambda: float("inf"))  # nothing later is stopped by it
    assert len((await store.summaries()).summaries) == 7
    await store.close()


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE turn_pictures",
        "ALTER TABLE images RENAME COLUMN original TO something",
        "DROP TABLE alembic_version",
        "UPDATE alembic_version SET version_num = ''",
        "DELETE FROM alembic_version",
        "INSERT INTO alembic_version VALUES ('0001')",
    ],
)
async def test_a_file_in_which_something_is_missing_does_not_start(whole: Path, tmp_path: Path, statement: str) -> None:
    path = Path(shutil.copy(whole, tmp_path / "answers.db"))
    with sqlite3.connect(path) as other:
        other.execute(statement)
    other.close()
    with pytest.raises(OperatorError):
        await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE turns SET ending = 'dxne', figures = '{broken', text = CAST(x'ff41' AS TEXT) WHERE key = 'k1'",
        "UPDATE turns SET figures = '[]', answer = CAST(x'c3' AS TEXT) WHERE key = 'k1'",
        """UPDATE turns SET figures = '{"queue_s": "long"}' WHERE key = 'k1'""",
        "UPDATE messages SET payload = CAST(x'fffe' AS TEXT) WHERE key = 'u1'",
        "UPDATE conversations SET updated = 1e300, title = CAST(x'ff' AS TEXT) WHERE id = 'web:1'",
    ],
)
async def test_a_value_that_is_damaged_hides_nothing_else(whole: Path, tmp_path: Path, statement: str) -> None:
    path = Path(shutil.copy(whole, tmp_path / "answers.db"))
    with sqlite3.connect(path) as other:
        assert other.execute(statement).rowcount == 1
    other.close()
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}", ratings=True))
    assert len(await store.unfinished("web")) == 30
    assert len(await store.rated()) == 30
    assert len((await store.summaries()).summaries) == 7
    turns = (await store.load("web:1")).turns
    assert len(turns) == 5
    assert all(turn.answer and turn.answer.figures.total_s >= 0 for turn in turns)
    await store.close()


async def test_a_folder_in_place_of_the_file_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    path.mkdir()
    with pytest.raises(OperatorError, match="cannot be opened"):
        await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}"))
