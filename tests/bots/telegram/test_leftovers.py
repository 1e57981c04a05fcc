"""Messages that the bot posted and does not know of, and buttons that are not what they seem."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bots.telegram import leftovers
from core.errors import StoreDown
from storage.store import Store
from tests.bots.telegram.conftest import Chatting, is_finished, photo, service, store_config, until
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi, Fault
from tests.bots.telegram.test_delivery import once
from tests.bots.telegram.world import Json
from tests.fakes import ScriptedEngine

FINISHED = "This is finished already."
FORGOTTEN = "I do not remember that answer any more. Please send the picture again."


@pytest.fixture
def unswept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leftovers stay until they are pressed."""
    monkeypatch.setattr(leftovers, "SEARCHED_MESSAGES", -1)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "STORED_SECONDS", 0.1)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("chat_id", [7, -100])
async def test_what_was_posted_while_the_reply_was_lost_is_found_and_taken_away(reached: BotApi, chat_id: int) -> None:
    """Nobody else's message is touched, nor what the bot said before."""
    team = Chatting(Person(reached, reached.world.chat(chat_id), user_id=7))
    [before] = await team.answers(team.person.shows(photo("blue"), "@picture_bot before"))
    theirs = team.person.sends(new_chat_title="stands before")
    reached.trouble = once("sendMessage", "drop after", "drop after")
    question = team.person.says("@picture_bot one", reply_to=before)
    talk = team.person.sends(new_chat_title="stands between")
    await until(lambda: reached.calls["deleteMessage"] == 2)
    await until(lambda: len(team.chat.by_bot()) == 2 and is_finished(team.chat.by_bot()[-1]))
    assert team.chat.by_bot()[-1]["text"].startswith("Answer to 'one'")
    assert {message["message_id"] for message in (theirs, question, talk)} <= set(team.chat.messages)
    assert before in team.chat.by_bot()


@pytest.mark.usefixtures("quick")
async def test_the_search_goes_on_once_the_database_works_again(
    reached: BotApi, ann: Chatting, engine: ScriptedEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, away, lost = tmp_path / "answers.db", tmp_path / "away.db", ["sendMessage"]

    def trouble(method: str) -> Fault | None:
        if method == "editMessageReplyMarkup" and path.exists():  # as the search does
            with closing(sqlite3.connect(path)) as database:
                [recorded] = database.execute("SELECT count(*) FROM deliveries").fetchone()
            if not recorded:
                return "429"
            path.rename(away)
        if method not in lost:
            return None
        lost.remove(method)
        return "drop after"

    reached.trouble, engine.gate = trouble, asyncio.Event()
    ann.person.shows(photo(), "What is this?")
    await until(lambda: "the database does not work" in caplog.text)
    reached.trouble = lambda method: None
    away.rename(path)
    await until(lambda: reached.calls["deleteMessage"] == 1)
    engine.gate.set()
    await until(lambda: len(ann.chat.by_bot()) == 1 and is_finished(ann.chat.by_bot()[0]))


@pytest.mark.usefixtures("quick")
async def test_a_leftover_that_is_gone_already_does_not_end_the_search(reached: BotApi, ann: Chatting) -> None:
    """Answers that were posted at the same time are searched for at the same time."""
    lost, gone = ["sendMessage", "sendMessage"], list[Json]()

    def trouble(method: str) -> Fault | None:
        if method == "deleteMessage" and not gone:
            gone.append(ann.chat.messages.pop(ann.chat.by_bot()[0]["message_id"]))
        if method not in lost:
            return None
        lost.pop()
        return "drop after"

    reached.trouble = trouble
    ann.person.shows(photo(), "One")
    await until(lambda: gone and reached.calls["deleteMessage"] == 2)
    await until(lambda: [is_finished(message) for message in ann.chat.by_bot()] == [True])


@pytest.mark.usefixtures("quick")
async def test_what_a_killed_run_posted_and_did_not_write_down_is_found_at_the_next_start(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting
) -> None:
    question = ann.person.shows(photo(), "One")
    stop = {"inline_keyboard": [[{"text": "Stop", "callback_data": "stop"}]]}
    reply: Json = {"reply_parameters": {"message_id": question["message_id"]}, "reply_markup": stop}
    telegram.world.add_by_bot(ann.chat, {"text": "One moment …"}, reply)
    store = await Store.open(store_config(tmp_path, ratings=False))
    await store.put("telegram", "telegram:4242:1001", "telegram:7:0", json.dumps(telegram.take_update()))
    await store.close()
    async with service(telegram, tmp_path, engine):
        await until(lambda: [m["text"] for m in ann.chat.by_bot()] == ["Answer to 'One' about [1] after 0 turns."])


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("said", ["/help", "One"])
async def test_what_could_neither_be_stored_nor_taken_back_is_found_at_the_next_attempt(
    reached: BotApi, ann: Chatting, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """A command's answer is posted whole, that of a question begins with a placeholder."""
    record, failures = Store.record_posted, [StoreDown("The disk is full.")]

    async def fails(self: Store, *values: Any) -> None:
        if failures:
            raise failures.pop()
        await record(self, *values)

    monkeypatch.setattr(Store, "record_posted", fails)
    reached.trouble = once("deleteMessage", "drop before")
    ann.person.shows(photo(), said)
    await until(lambda: reached.calls["deleteMessage"] >= 2)
    await until(lambda: [is_finished(message) for message in ann.chat.by_bot()] == [True])
    assert not failures


@pytest.mark.usefixtures("unswept")
@pytest.mark.parametrize("text", ["One moment …", "Looking at picture 1 of 1 …", "Half an answer"])
async def test_the_stop_button_takes_a_leftover_away_whatever_it_says(
    reached: BotApi, ann: Chatting, text: str
) -> None:
    await ann.answer(ann.person.shows(photo(), "One"))
    stop = {"inline_keyboard": [[{"text": "Stop", "callback_data": "stop"}]]}
    leftover = reached.world.add_by_bot(ann.chat, {"text": text}, {"reply_markup": stop})
    answer = ann.chat.by_bot()[0]
    ann.person.presses(leftover)
    await until(lambda: leftover not in ann.chat.by_bot())
    assert ann.chat.by_bot() == [answer]


@pytest.mark.usefixtures("unswept")
async def test_the_stop_button_of_a_leftover_stops_no_other_answer(
    reached: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    reached.trouble = once("sendMessage", "drop after")
    await ann.answer(ann.person.shows(photo(), "One"))
    leftover, answer = ann.chat.by_bot()
    engine.gate = asyncio.Event()
    question = ann.person.says("Two")
    await until(lambda: engine.running)
    ann.person.presses(leftover)
    await until(lambda: [told["text"] for told in reached.callback_answers] == [FINISHED])
    engine.gate.set()
    assert await ann.answer(question) == "Answer to 'Two' about [] after 1 turns."
    await until(lambda: leftover not in ann.chat.by_bot())
    assert answer in ann.chat.by_bot()


@pytest.mark.usefixtures("unswept")
async def test_the_stop_button_of_a_leftover_stops_the_answer_that_it_was_posted_for(
    reached: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    engine.gate = asyncio.Event()
    reached.trouble = once("sendMessage", "drop after")
    ann.person.shows(photo(), "One")
    await until(lambda: len(ann.chat.by_bot()) == 2)
    ann.person.presses(ann.chat.by_bot()[0])
    await until(lambda: ann.chat.by_bot()[-1]["text"].endswith("(stopped)"))
    await until(lambda: [told["text"] for told in reached.callback_answers] == ["Stopping …"])


async def test_every_press_is_acknowledged_and_one_of_no_meaning_does_nothing(
    reached: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    [answer] = await ann.answers(ann.person.shows(photo(), "One"))
    forged = (
        "retry:5",
        "stop:1",
        "csv:2",
        "smallprint:",
        "smallprint:1e9",
        "smallprint:99",
        "ask",
        "/forget",
        "😀",
        "",
    )
    for data in forged:
        markup = {"inline_keyboard": [[{"text": data, "callback_data": data}]]}
        ann.person.presses({**answer, "reply_markup": markup})
    await until(lambda: len(reached.callback_answers) == len(forged))
    pressed = sorted(reached.callback_answers, key=lambda said: int(said["callback_query_id"].partition(".")[2]))
    told = [said.get("text") for said in pressed]  # each is acknowledged by itself, in no order
    assert told == [None if data == "smallprint:99" else FORGOTTEN for data in forged]
    await until(lambda: [m["text"] for m in ann.chat.by_bot()] == [answer["text"], FORGOTTEN])
    assert len(engine.asked) == 1


async def test_a_second_press_is_acknowledged_and_does_nothing(
    reached: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    engine.script = lambda _: RuntimeError("a bug of the model")
    [failed] = await ann.answers(ann.person.shows(photo(), "One"))
    engine.script = lambda _: "well"
    for _ in range(3):
        ann.person.presses(failed)
    await until(lambda: len(reached.callback_answers) == 3)
    await until(lambda: [m["text"] for m in ann.chat.by_bot()][1:] == ["well"])
    await ann.answer(ann.person.says("Two"))
    assert len(ann.chat.by_bot()) == 3
