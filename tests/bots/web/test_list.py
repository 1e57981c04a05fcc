"""The list of conversations, also where there are more than a page of it."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from tests.bots.web.conftest import Web, service, until
from tests.fakes import ScriptedEngine

MANY = 450
COLUMNS = "(id, title, chapter, next_number, created, updated)"


def write_conversations(folder: Path, count: int) -> list[str]:
    """So many conversations of the web, many of them of the same moment; returns their ids as they are listed."""
    rows = [
        (f"web:{number:04}", f"Question {number}?", 0, 1, 1.0, 1_700_000_000.25 - number // 30)
        for number in range(count)
    ]
    with sqlite3.connect(folder / "answers.db") as database:
        database.executemany(f"INSERT INTO conversations {COLUMNS} VALUES (?, ?, ?, ?, ?, ?)", rows)
    database.close()
    return [row[0] for row in rows]


async def listed(web: Web) -> list[list[str]]:
    """Page after page."""
    pages, after = [], ""
    while True:
        page = (await web.client.get("/api/v1/conversations", params={"after": after})).json()
        pages.append([known["id"] for known in page["conversations"]])
        after = page.get("next")
        if not after:
            return pages


@pytest.mark.parametrize("count", [0, 1, 200, 201, MANY])
async def test_every_conversation_is_listed_once_and_in_order(tmp_path: Path, count: int) -> None:
    async with service(tmp_path) as web:
        written = write_conversations(tmp_path, count)
        pages = await listed(web)
        assert [each for page in pages for each in page] == written
        assert [len(page) for page in pages[:-1]] == [200] * (len(pages) - 1)


async def test_what_was_asked_meanwhile_leaves_nothing_out_and_doubles_nothing_of_the_rest(tmp_path: Path) -> None:
    async with service(tmp_path, shared_list=True) as web:
        written = write_conversations(tmp_path, MANY)
        first = (await web.client.get("/api/v1/conversations")).json()
        await web.ask("A new question?", "red")
        second = (await web.client.get("/api/v1/conversations", params={"after": first["next"]})).json()
        assert [known["id"] for known in second["conversations"]] == written[200:400]


async def test_pictures_without_a_question_take_no_room_in_the_list_and_a_running_question_is_there(
    tmp_path: Path,
) -> None:
    gate = asyncio.Event()
    engine = ScriptedEngine(gate=gate)
    async with service(tmp_path, engine, shared_list=True) as web:
        written = write_conversations(tmp_path, 200)
        with sqlite3.connect(tmp_path / "answers.db") as database:
            database.execute(
                f"INSERT INTO conversations {COLUMNS} VALUES ('web:only-pictures', '', 0, 1, 1.0, 1900000000.0)"
            )
        database.close()
        assert await listed(web) == [written]
        asking = asyncio.create_task(web.ask("What?", "red", key="a-key-nobody-guesses"))
        await until(lambda: engine.running)
        [first, _] = await listed(web)
        assert first[1:] == written[:199]
        gate.set()
        await asking


@pytest.mark.parametrize("after", ["nonsense", "1e400~web:1", "1~telegram:1", "~", "1700000000~web:" + "a" * 200])
async def test_a_page_that_does_not_exist_is_refused(web: Web, after: str) -> None:
    assert (await web.client.get("/api/v1/conversations", params={"after": after})).status_code == 422
