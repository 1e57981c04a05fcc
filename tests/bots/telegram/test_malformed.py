"""One update that cannot be read costs nobody else anything, on either way in."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.store import Store
from tests.bots.telegram.conftest import Chatting, photo, quiet, service, store_config, until
from tests.bots.telegram.malformed import MET, WORDS, generated
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi
from tests.fakes import ScriptedEngine

GENERATED = 100
ASKED_AFTER = 5  # so many of them somebody asks


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    caplog.set_level(logging.WARNING)
    yield caplog
    assert WORDS not in caplog.text


async def next_is_answered(telegram: BotApi, number: int) -> None:
    """Somebody who writes right after it."""
    person = Chatting(Person(telegram, telegram.world.chat(1000 + number)))
    question = person.person.shows(photo(), "What is this?")
    assert await person.answer(question) == "Answer to 'What is this?' about [1] after 0 turns."


async def test_updates_that_cannot_be_read_are_skipped_and_named_by_their_ids(
    reached: BotApi, log: pytest.LogCaptureFixture
) -> None:
    for number, (why, update) in enumerate(MET.items()):
        update_id = reached.update(**update)
        await next_is_answered(reached, number)
        await until(lambda: reached.unconfirmed == 0)
        assert f"update {update_id} cannot be read and is skipped" in log.text, why
    assert not reached.world.chat(7).by_bot()
    assert {status for _, status in reached.posted} <= {200}


async def test_a_hundred_generated_ones_leave_everybody_else_answered(
    reached: BotApi, log: pytest.LogCaptureFixture
) -> None:
    reached.world.chat(7)
    reached.world.chat(-100, forum=True)
    for number, update in enumerate(generated(GENERATED, seed=25)):
        reached.update(**update)
        if number % ASKED_AFTER == 0:
            await next_is_answered(reached, number)
    await next_is_answered(reached, GENERATED)
    await until(lambda: reached.unconfirmed == 0)
    assert {status for _, status in reached.posted} <= {200}
    assert [r.getMessage() for r in log.records if r.levelno >= logging.ERROR] == []
    assert log.text.count("is skipped") >= GENERATED // 4


async def test_what_was_skipped_is_not_met_again_after_a_restart(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    """Not even where the run before ended before it could confirm it."""
    telegram.confirms = False
    update_id = telegram.update(**MET["a message without a date"])
    said = f"update {update_id} cannot be read"
    async with service(telegram, tmp_path, engine):
        await until(lambda: said in log.text)
    async with service(telegram, tmp_path, engine):
        await next_is_answered(telegram, 0)
    assert log.text.count(said) == 1


async def test_updates_that_are_no_json_are_skipped_and_nothing_else(
    reached: BotApi, log: pytest.LogCaptureFixture
) -> None:
    """A number of more digits than Python takes, and lists inside each other without end."""
    for broken in ("9" * 5000, "[" * 100_000):
        reached.raw_update('{"update_id": %d, "message": {"text": "' + WORDS + '", "date": ' + broken + "}}")
    await next_is_answered(reached, 0)
    await until(lambda: reached.unconfirmed == 0)
    assert log.text.count("is skipped") == 2
    assert {status for _, status in reached.posted} <= {200}


async def test_stored_questions_are_answered_while_no_poll_is_good(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting
) -> None:
    engine.gate = asyncio.Event()
    async with service(telegram, tmp_path, engine):
        question = ann.person.shows(photo(), "One")
        await until(lambda: telegram.unconfirmed == 0)
    telegram.trouble = lambda method: "500" if method in ("getUpdates", "deleteWebhook") else None
    engine.gate = None
    async with service(telegram, tmp_path, engine):
        assert await ann.answer(question) == "Answer to 'One' about [1] after 0 turns."


async def test_a_stored_message_that_cannot_be_read_is_dropped_and_ends_no_start(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    """Such as an older version may have written down."""
    store = await Store.open(store_config(tmp_path, ratings=False))
    payloads = ("", "/forget", '{"update_id": 1, "message": {"text": "/forget"}}', '{"update_id": 2, "poll": 5}', "[]")
    for number, payload in enumerate(payloads):
        await store.put("telegram", f"old {number}", "telegram:7:0", payload)
    await store.close()
    async with service(telegram, tmp_path, engine):
        await next_is_answered(telegram, 0)
        await quiet(telegram, tmp_path)
    assert log.text.count("is dropped") == len(payloads)
    store = await Store.open(store_config(tmp_path, ratings=False))
    assert not [message for message in await store.unfinished("telegram") if message.key.startswith("old")]
    await store.close()
