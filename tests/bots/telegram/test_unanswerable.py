"""What the model could only answer by invention, or what nobody asked: it gets a sentence, or silence."""

from pathlib import Path

import pytest

from bots.conversing import commands
from core.errors import BadImage, BadQuestion, Busy, NotDelivered, QuotaReached
from tests.bots.telegram.conftest import Chatting, photo, service, until
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi
from tests.fakes import ScriptedEngine

ASKS_FOR_ONE = "Send a picture with your question"


async def test_without_any_picture_every_question_asks_for_one(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    for text in ("What is the total?", "thanks!", "hello there"):
        assert (await ann.answer(ann.person.says(text))).startswith(ASKS_FOR_ONE)
    [answer] = await ann.answers(ann.person.shows(photo(), "What is this?"))
    await ann.answer(ann.person.says("/remove 1"))
    [refused] = await ann.answers(ann.person.says("And the date?", reply_to=answer))
    assert refused["text"].startswith(ASKS_FOR_ONE)
    assert "reply_markup" not in refused
    assert (await ann.answer(ann.person.says("/retry"))).startswith(ASKS_FOR_ONE)
    assert len(engine.asked) == 1


async def test_thanks_and_laughter_are_no_questions(running: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    [answer] = await ann.answers(ann.person.shows(photo(), "What is this?"))
    assert "随时" in await ann.answer(ann.person.says("谢谢啦！"))
    assert "at any time" in await ann.answer(ann.person.says("👍👍", reply_to=answer))
    assert await ann.answer(ann.person.shows(photo("blue"), "😂")) == "Got picture 2. What would you like to know?"
    assert len(engine.asked) == 1
    assert await ann.answer(ann.person.says("Which one?")) == "Answer to 'Which one?' about [2] after 1 turns."


async def test_in_a_group_thanks_and_words_to_others_get_nothing(running: BotApi, engine: ScriptedEngine) -> None:
    team = Chatting(Person(running, running.world.chat(-100), user_id=7))
    [answer] = await team.answers(team.person.shows(photo(), "@picture_bot what is this?"))
    for text in ("thanks!", "hahaha 😂", "@bob what do you think?"):
        team.person.says(text, reply_to=answer)
    team.person.says("@picture_bot thank you")
    asked = team.person.says("@bob says @picture_bot knows it", reply_to=answer)
    await team.answer(asked)
    await until(lambda: running.unconfirmed == 0)
    assert len(team.chat.by_bot()) == len(engine.asked) == 2


async def test_one_bad_file_of_two_is_named(running: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    ann.person.sends_file(b"not a picture", "scan.png", "image/png", album="a")
    question = ann.person.sends_file(photo(kind="PNG"), "good.png", "image/png", "What is this?", album="a")
    answer = await ann.answer(question)
    assert answer.startswith("Answer to 'What is this?' about [1]")
    assert "scan.png: This is a text file." in answer
    ann.person.shows(b"no picture", album="b")
    question = ann.person.sends_file(b"nor this", "b.png", "image/png", "And these?", album="b")
    answer = await ann.answer(question)
    assert "File 1 of 2: " in answer
    assert "b.png: " in answer
    assert len(engine.asked) == 1


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (Busy("Too many questions are waiting already. Please ask again in a minute."), True),
        (RuntimeError("a bug of the model"), True),
        (BadQuestion("Your question is too long: at most {limit} characters, please.", limit=8000), False),
        (QuotaReached("That is more than {limit} questions a minute. Try again in {wait} s.", limit=10, wait=9), False),
        (BadImage("This is a text file."), False),
        (NotDelivered("Telegram did not hand over your file. Please try again in a moment."), True),
    ],
)
async def test_try_again_stands_only_where_it_can_help(
    running: BotApi, ann: Chatting, engine: ScriptedEngine, error: Exception, again: bool
) -> None:
    engine.script = lambda _: error
    [refused] = await ann.answers(ann.person.shows(photo(), "What is this?"))
    assert ("reply_markup" in refused) is again


async def test_below_a_failed_command_nothing_is_offered(
    running: BotApi, ann: Chatting, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> bytes:
        raise RuntimeError("a bug")

    await ann.answer(ann.person.shows(photo(), "What is this?"))
    monkeypatch.setattr(commands, "contact_sheet", broken)
    [failed] = await ann.answers(ann.person.says("/pictures"))
    assert failed["text"] == "Something went wrong on my side. Please try again."
    assert "reply_markup" not in failed


async def test_in_a_group_a_picture_without_a_question_is_not_added_to_somebody_elses(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path
) -> None:
    chat = telegram.world.chat(-100)
    ann, bob = (Chatting(Person(telegram, chat, user_id=number)) for number in (7, 8))
    async with service(telegram, tmp_path, engine):
        assert (await ann.answer(ann.person.shows(photo("red"), "@picture_bot"))).startswith("Got picture 1.")
    async with service(telegram, tmp_path, engine):
        asked = bob.person.shows(photo("blue"), "@picture_bot what is this?")
        assert await bob.answer(asked) == "Answer to 'what is this?' about [2] after 0 turns."
        asked = ann.person.shows(photo("green"), "@picture_bot compare")
        assert await ann.answer(asked) == "Answer to 'compare' about [1, 3] after 1 turns."
