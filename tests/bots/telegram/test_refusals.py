"""What Telegram refuses costs nobody an answer: it is said more plainly, elsewhere, or later, and in the end once."""

import asyncio
from pathlib import Path

import pytest

from bots.conversing import delivery
from tests.bots.telegram.conftest import Chatting, is_finished, photo, service, until
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi
from tests.bots.telegram.test_delivery import once
from tests.fakes import ScriptedEngine

WHOLE = "Answer to 'One' about [1] after 0 turns."
CANNOT_WRITE = "I cannot write in that group. Ask one of its admins to let me, or ask me here."


@pytest.fixture
def topic(reached: BotApi) -> Chatting:
    return Chatting(Person(reached, reached.world.chat(-200, forum=True), user_id=7, topic=5))


async def test_a_growing_text_that_is_refused_is_left_out(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting
) -> None:
    engine.gate = asyncio.Event()
    async with service(telegram, tmp_path, engine, interval_seconds=1):
        telegram.trouble = once("editMessageText", "400", "400")
        question = ann.person.shows(photo(), "One")
        await until(lambda: telegram.faults["400"] == 2)
        assert engine.running
        engine.gate.set()
        assert await ann.answer(question) == WHOLE
    assert len(ann.chat.by_bot()) == 1


@pytest.mark.parametrize("refusals", [1, 2, 3, 50])
async def test_a_last_text_that_is_refused_is_said_more_plainly_or_anew_and_saved(
    reached: BotApi, ann: Chatting, engine: ScriptedEngine, refusals: int
) -> None:
    engine.script = lambda conversation: f"**bold** {len(conversation.turns)}" + (" word" * 700)  # has a button
    reached.world.refused_ends = refusals
    question = ann.person.shows(photo("blue"), "One")
    [answer] = await ann.answers(question)
    assert answer["text"].startswith("bold 1")
    assert ("reply_markup" in answer) == (refusals != 2)
    assert ("entities" in answer) == (refusals >= 3)  # what is posted anew is tried as it should be
    reached.world.refused_ends = 0
    [after] = await ann.answers(ann.person.says("Two"))
    assert after["text"].startswith("bold 2")
    assert len(ann.chat.by_bot()) == 2


async def test_an_answer_for_a_topic_that_telegram_does_not_find_comes_by_reply(
    reached: BotApi, topic: Chatting, engine: ScriptedEngine
) -> None:
    topic.chat.lost_topics = True
    engine.script = lambda _: "\n".join("word " * 200 for _ in range(6))
    question = topic.person.shows(photo(), "@picture_bot one")
    await until(lambda: len([m for m in topic.chat.by_bot() if is_finished(m)]) >= 2)
    for message in topic.chat.by_bot():
        assert message["reply_to_message"]["message_id"] == question["message_id"]
        assert message["message_thread_id"] == 5


async def test_where_no_message_can_be_edited_the_answer_is_one_new_message(
    reached: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    ann.chat.uneditable = True
    engine.pause = 0.05
    question = ann.person.shows(photo(), "One")
    assert await ann.answer(question) == WHOLE
    await until(lambda: len(ann.chat.by_bot()) == 1)  # the others are taken away
    assert reached.calls["sendMessage"] == 3
    exported = ann.person.says("/export")
    await until(lambda: any("document" in m for m in ann.chat.answers_to(exported["message_id"])))
    await until(lambda: len(ann.chat.by_bot()) == 2)
    assert reached.calls.total() < 40


async def test_a_file_that_cannot_be_uploaded_is_given_up_and_the_chat_goes_on(
    reached: BotApi, ann: Chatting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "PATIENCE_SECONDS", 0.2)
    await ann.answer(ann.person.shows(photo(), "One"))
    reached.trouble = lambda method: "500" if method == "editMessageMedia" else None
    said = await ann.answer(ann.person.says("/export"))
    assert said == "conversation.zip could not be sent. Please ask for it again later."
    assert reached.faults["500"] >= delivery.PATIENCE_WRITES
    assert (await ann.answer(ann.person.says("Two"))).startswith("Answer to 'Two'")


@pytest.mark.parametrize("knows_her", [True, False])
async def test_who_asked_where_the_bot_may_not_write_is_told_in_private(
    reached: BotApi, ann: Chatting, engine: ScriptedEngine, knows_her: bool
) -> None:
    ann.chat.blocked = not knows_her  # a bot cannot begin a chat
    team = Chatting(Person(reached, reached.world.chat(-100), user_id=7))
    team.chat.muted = True
    team.person.shows(photo(), "@picture_bot what is this?")
    other = Chatting(Person(reached, reached.world.chat(-101), user_id=8))
    await other.answer(other.person.shows(photo(), "@picture_bot one"))
    await until(lambda: reached.unconfirmed == 0)
    if knows_her:
        await until(ann.chat.by_bot)
    assert [message["text"] for message in ann.chat.by_bot()] == ([CANNOT_WRITE] if knows_her else [])
    team.chat.muted = False
    assert (await team.answer(team.person.shows(photo(), "@picture_bot two"))).startswith("Answer to 'two'")
