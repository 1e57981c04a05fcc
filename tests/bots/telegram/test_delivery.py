import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bots.telegram.conftest import Chatting, is_finished, photo, service, until
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi, Fault
from tests.fakes import ScriptedEngine


def once(method: str, *faults: Fault) -> Callable[[str], Fault | None]:
    """The next calls of a method meet these faults, then none."""
    left = list(faults)
    return lambda called: left.pop(0) if called == method and left else None


async def test_an_update_delivered_twice_is_answered_once(running: BotApi, ann: Chatting) -> None:
    question = ann.person.shows(photo(), "One", twice=True)
    await ann.answer(question)
    await ann.answer(ann.person.shows(photo(), "Two"))
    assert len(ann.chat.by_bot()) == 2


async def test_an_update_is_on_disk_before_it_is_confirmed(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting
) -> None:
    engine.gate = asyncio.Event()
    async with service(telegram, tmp_path, engine):
        question = ann.person.shows(photo(), "One")
        await until(lambda: telegram.unconfirmed == 0)
    assert not [m for m in ann.chat.answers_to(question["message_id"]) if is_finished(m)]
    engine.gate = None
    async with service(telegram, tmp_path, engine):
        assert await ann.answer(question) == "Answer to 'One' about [1] after 0 turns."


async def test_a_half_answer_goes_on_in_place_after_a_restart(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting
) -> None:
    engine.gate = asyncio.Event()
    async with service(telegram, tmp_path, engine, interval_seconds=1):
        question = ann.person.shows(photo(), "One")
        await until(lambda: any("Answer" in m["text"] for m in ann.chat.by_bot()))
    engine.gate = None
    async with service(telegram, tmp_path, engine, interval_seconds=1):
        assert await ann.answer(question) == "Answer to 'One' about [1] after 0 turns."
    assert len(ann.chat.by_bot()) == 1


async def test_the_last_edit_arrives_through_all_trouble(running: BotApi, ann: Chatting) -> None:
    faults: list[Fault] = ["500", "drop after", "429"]
    running.trouble = once("editMessageText", *faults)
    question = ann.person.shows(photo(), "One")
    await until(lambda: running.faults.total() == len(faults))
    assert await ann.answer(question) == "Answer to 'One' about [1] after 0 turns."
    assert len(ann.chat.by_bot()) == 1


async def test_asking_for_updates_goes_on_after_trouble(running: BotApi, ann: Chatting) -> None:
    running.trouble = once("getUpdates", "garbage", "drop after")
    assert (await ann.answer(ann.person.shows(photo(), "One"))).startswith("Answer")
    await ann.answer(ann.person.shows(photo(), "Two"))
    assert len(ann.chat.by_bot()) == 2


async def test_an_album_is_not_torn_by_a_connection_lost_in_its_middle(running: BotApi, ann: Chatting) -> None:
    captioned = ann.person.shows(photo("red"), "Compare", album="a")
    running.trouble = lambda method: "500" if method == "getUpdates" else None
    await until(lambda: running.faults.total() >= 2)
    ann.person.shows(photo("blue"), album="a")
    running.trouble = lambda method: None
    assert await ann.answer(captioned) == "Answer to 'Compare' about [1, 2] after 0 turns."


async def test_a_wait_that_telegram_asks_for_is_obeyed_and_no_longer(running: BotApi, ann: Chatting) -> None:
    running.trouble = once("editMessageText", "429")
    question = ann.person.shows(photo(), "One")
    await ann.answer(question)
    [(posted, _), (edited, _)] = ann.chat.states[ann.chat.answers_to(question["message_id"])[0]["message_id"]]
    assert edited - posted >= 1.0
    assert running.calls["editMessageText"] == 2  # what was refused, and the first one after it


async def test_one_chats_trouble_delays_no_other(running: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    ann.chat.blocked = True
    ann.person.shows(photo(), "One")
    other = Chatting(Person(running, running.world.chat(8)))
    assert (await other.answer(other.person.shows(photo(), "Two"))).startswith("Answer to 'Two'")
    ann.chat.blocked = False
    assert (await ann.answer(ann.person.shows(photo(), "Three"))).startswith("Answer to 'Three'")


async def test_an_answer_whose_message_was_deleted_gets_another(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    engine.gate = asyncio.Event()
    question = ann.person.shows(photo(), "One")
    await until(ann.chat.by_bot)
    running.world.delete(7, ann.chat.by_bot()[0]["message_id"])
    engine.gate.set()
    await until(lambda: [m["text"] for m in ann.chat.by_bot() if is_finished(m)])
    assert [m["text"] for m in ann.chat.by_bot()] == ["Answer to 'One' about [1] after 0 turns."]
    assert question["message_id"] in ann.chat.messages


async def test_a_deleted_question_is_answered_all_the_same(running: BotApi, ann: Chatting) -> None:
    question = ann.person.shows(photo(), "One")
    del ann.chat.messages[question["message_id"]]
    await until(lambda: any("'One'" in m["text"] for m in ann.chat.by_bot()))


async def test_an_answer_follows_its_group_that_became_a_supergroup(running: BotApi, engine: ScriptedEngine) -> None:
    engine.gate = asyncio.Event()
    old, new = running.world.chat(-5, "group"), running.world.chat(-1005)
    team = Chatting(Person(running, old, user_id=7))
    team.person.shows(photo(), "@picture_bot one")
    await until(old.by_bot)
    old.moved_to = new.id
    engine.gate.set()
    await until(lambda: any(m["text"].startswith("Answer to 'one'") and is_finished(m) for m in new.by_bot()))


async def test_formatting_that_telegram_refuses_is_shown_as_plain_text(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    engine.script = lambda _: "**bold** words"
    running.world.refused_styles = {"bold"}
    [answer] = await ann.answers(ann.person.shows(photo(), "One"))
    assert answer["text"] == "bold words"
    assert "entities" not in answer


async def test_a_long_answer_continues_in_further_messages(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    lines = [f"{number}: 第{number}行 " + "字" * 80 for number in range(120)]
    engine.script = lambda _: "\n".join(lines)
    question = ann.person.shows(photo(), "One")
    messages = await ann.answers(question, count=3)
    assert "\n".join(message["text"] for message in messages) == "\n".join(lines)


async def test_a_shorter_second_attempt_leaves_nothing_of_the_first(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting
) -> None:
    engine.script, engine.pause = lambda _: "word " * 20_000, 0.001
    async with service(telegram, tmp_path, engine, interval_seconds=1):
        ann.person.shows(photo(), "One")
        await until(lambda: len(ann.chat.by_bot()) >= 2)
    engine.script = lambda _: "short"
    async with service(telegram, tmp_path, engine):
        await until(lambda: [m["text"] for m in ann.chat.by_bot()] == ["short"])


async def test_no_chat_sees_more_than_a_write_a_second_and_the_end_comes_before_anything_else(
    engine: ScriptedEngine, tmp_path: Path
) -> None:
    """Two private chats, and two topics of a group whose answers end together. How soon in seconds: `test_group`."""
    engine.pause, engine.gate = 0.3, asyncio.Event()
    engine.script = lambda _: " ".join("word" for _ in range(12))
    async with BotApi(strict=True) as telegram, service(telegram, tmp_path, engine, pause_s=1.0):
        people = [Chatting(Person(telegram, telegram.world.chat(1 + number))) for number in range(2)]
        group = telegram.world.chat(-1, forum=True)
        people += [Chatting(Person(telegram, group, user_id=9, topic=3 + number)) for number in range(2)]
        questions = [p.person.shows(photo(), "@picture_bot tell") for p in people]
        grown = " ".join("word" for _ in range(11))
        await until(lambda: engine.running == len(people))
        await until(lambda: all(any(m["text"] == grown for m in p.chat.by_bot()) for p in people[:2]))
        engine.gate.set()
        await until(lambda: engine.running == 0)
        ended = time.monotonic()
        for person, question in zip(people, questions, strict=True):
            await person.answers(question)
        assert telegram.world.crowded == 0
        assert telegram.faults.total() == 0
        assert telegram.calls["sendChatAction"] >= len(people)
        for chat in telegram.world.chats.values():
            after = [states for states in chat.states.values() for moment, _ in states if moment > ended]
            assert len(after) <= len(chat.states) + 1  # their final edits, and one write that was on its way
            waits = ", ".join(f"{states[-1][0] - ended:.2f}" for states in chat.states.values())
            print(f"chat {chat.id}: the last edits came {waits} s after the last token")
            if chat is not group:
                assert all(len(states) > 2 for states in chat.states.values())


async def test_neither_token_nor_words_reach_the_log(
    running: BotApi, ann: Chatting, engine: ScriptedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    running.trouble = once("editMessageText", "garbage")
    engine.script = lambda _: "the-answer-of-the-model"
    await ann.answer(ann.person.shows(photo(), "a-caption-of-ann"))
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith(("bots", "core")))
    assert "THE-SECRET-TOKEN" not in ours
    assert "a-caption-of-ann" not in ours
    assert "the-answer-of-the-model" not in ours
