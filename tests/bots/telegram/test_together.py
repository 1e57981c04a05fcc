"""What belongs together is put together: forwards and comments, pictures and commands, questions and their edits."""

import asyncio
from pathlib import Path

import pytest

from bots.telegram import worker
from tests.bots.telegram.conftest import Chatting, photo, service, until
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi
from tests.bots.telegram.test_telegram import colour
from tests.fakes import ScriptedEngine

GOT_ONE = "Got picture 1. What would you like to know?"


@pytest.fixture(autouse=True)
def patient(hasty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long enough for a busy machine; in the product it is shorter than a second."""
    monkeypatch.setattr(worker, "COMMENT_WAIT_SECONDS", 1.5)


async def test_a_forward_and_the_comment_before_it_are_one_question(
    reached: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    comment = ann.person.says("Extract all text")
    ann.person.forwards(photo("blue"))
    assert await ann.answer(comment) == "Answer to 'Extract all text' about [1] after 0 turns."
    await until(lambda: reached.unconfirmed == 0)
    assert len(ann.chat.by_bot()) == len(engine.asked) == 1
    assert colour(engine.asked[0].turns[-1].pictures[0].image) == "blue"


async def test_a_forwarded_album_and_its_comment_are_one_question(running: BotApi, ann: Chatting) -> None:
    comment = ann.person.says("Compare them")
    ann.person.forwards(photo("red"), album="a")
    ann.person.forwards(photo("blue"), album="a")
    assert await ann.answer(comment) == "Answer to 'Compare them' about [1, 2] after 0 turns."


async def test_what_stands_below_a_forwarded_picture_is_quoted_in_the_comments_question(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    comment = ann.person.says("Is that true?")
    ann.person.forwards(photo(), "The total\nis 318.20")
    await ann.answer(comment)
    assert engine.asked[0].turns[-1].text == "Is that true?\n\n> The total\n> is 318.20"


async def test_every_caption_of_an_album_counts(running: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    first = ann.person.shows(photo("red"), "What is this?", album="a")
    ann.person.shows(photo("blue"), "And this?", album="a")
    await ann.answer(first)
    assert engine.asked[0].turns[-1].text == "What is this?\n\nAnd this?"


async def test_in_a_group_a_comment_that_mentions_the_bot_brings_its_forward_along(running: BotApi) -> None:
    """Where the bot may see all messages; somebody else's forward in between is none of it."""
    chat = running.world.chat(-100)
    ann, bob = (Chatting(Person(running, chat, user_id=user)) for user in (7, 8))
    comment = ann.person.says("@picture_bot what is this?")
    bob.person.forwards(photo("red"))
    ann.person.forwards(photo("blue"))
    assert await ann.answer(comment) == "Answer to 'what is this?' about [1] after 0 turns."
    ann.person.forwards(photo("green"))
    await ann.answer(ann.person.says("/help@picture_bot"))
    assert len(chat.by_bot()) == 2


@pytest.mark.parametrize("later", [False, True])
async def test_a_forward_of_its_own_waits_for_its_question(running: BotApi, ann: Chatting, later: bool) -> None:
    if later:  # the words stand alone, and were answered before
        await ann.answer(ann.person.says("Extract all text"))
    forwarded = ann.person.forwards(photo(), date=1795000000)
    assert await ann.answer(forwarded) == GOT_ONE


async def test_a_comment_and_its_forward_are_one_question_also_after_a_restart(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "COMMENT_WAIT_SECONDS", 60.0)
    async with service(telegram, tmp_path, engine):
        comment = ann.person.says("Extract all text")
        await until(lambda: telegram.unconfirmed == 0)
    monkeypatch.setattr(worker, "COMMENT_WAIT_SECONDS", 1.5)
    ann.person.forwards(photo(), date=comment["date"])  # however long the restart took
    async with service(telegram, tmp_path, engine):
        assert await ann.answer(comment) == "Answer to 'Extract all text' about [1] after 0 turns."


@pytest.mark.parametrize(
    ("caption", "question"),
    [
        ("/new Extract all text", "Extract all text"),
        ("/ask Extract all text", "Extract all text"),
        ("/ask@picture_bot Extract all text", "Extract all text"),
        ("/describe it in detail", "describe it in detail"),
        ("/ocr", "ocr"),
    ],
)
async def test_a_picture_with_a_command_keeps_its_picture_and_words(
    running: BotApi, ann: Chatting, caption: str, question: str
) -> None:
    await ann.answer(ann.person.shows(photo("red"), "Before"))
    new = caption.startswith("/new")
    expected = f"Answer to '{question}' about [{1 if new else 2}] after {0 if new else 1} turns."
    assert await ann.answer(ann.person.shows(photo("blue"), caption)) == expected
    assert (await ann.answer(ann.person.says("/unknown"))).startswith("Send or forward me a picture")


@pytest.mark.parametrize("caption", ["/new", "/start", "/help"])
async def test_a_picture_with_a_command_alone_waits_for_its_question(
    running: BotApi, ann: Chatting, caption: str
) -> None:
    assert await ann.answer(ann.person.shows(photo(), caption)) == GOT_ONE


@pytest.mark.parametrize("caption", ["/pictures", "/export", "/stop", "/retry", "/remove 7"])
async def test_a_picture_with_any_command_is_kept_for_the_next_question(
    running: BotApi, ann: Chatting, caption: str
) -> None:
    await ann.answer(ann.person.shows(photo("red"), "Before"))
    got = (await ann.answer(ann.person.shows(photo("blue"), caption))).splitlines()
    assert "Got picture 2. What would you like to know?" in got
    assert " about [2] after 1 turns." in await ann.answer(ann.person.says("And this?"))


async def test_an_album_whose_caption_is_a_command_is_kept(running: BotApi, ann: Chatting) -> None:
    first = ann.person.shows(photo("red"), "/stop", album="a")
    ann.person.shows(photo("blue"), album="a")
    assert await ann.answer(first) == "Got pictures 1, 2. What would you like to know?"


async def test_a_picture_with_stop_stops_the_answer_and_is_kept(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    engine.pause = 60
    question = ann.person.shows(photo("red"), "Before")
    await until(lambda: bool(engine.running))
    stop = ann.person.shows(photo("blue"), "/stop")
    assert "Got picture" in await ann.answer(stop)
    assert engine.cancelled == 1 and await ann.answer(question)


async def test_a_command_in_reply_to_a_picture_does_not_take_it_in(running: BotApi, ann: Chatting) -> None:
    shown = ann.person.shows(photo(), "Before")
    await ann.answer(shown)
    assert "Got" not in await ann.answer(ann.person.says("/pictures", reply_to=shown))


async def test_a_broken_picture_with_a_command_is_named_and_the_command_carried_out(
    running: BotApi, ann: Chatting
) -> None:
    answer = await ann.answer(ann.person.shows(b"broken", "/pictures"))
    assert answer.startswith("This is a text file.")
    assert answer.endswith("There are no pictures in this conversation yet.")


async def test_a_new_conversation_with_a_question_begins_once_also_after_a_crash(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting
) -> None:
    telegram.trouble = lambda method: "500" if method == "editMessageText" else None
    async with service(telegram, tmp_path, engine):
        question = ann.person.shows(photo(), "/new One")
        await until(lambda: engine.asked and not engine.running)
        await until(lambda: telegram.faults["500"] >= 2)
    telegram.trouble = lambda method: None
    async with service(telegram, tmp_path, engine):
        assert await ann.answer(question) == "Answer to 'One' about [1] after 0 turns."
        assert await ann.answer(ann.person.says("Two")) == "Answer to 'Two' about [] after 1 turns."


async def test_a_question_edited_while_it_waits_counts_with_its_new_words(
    reached: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    engine.gate = asyncio.Event()
    first = ann.person.shows(photo("red"), "One")
    second = ann.person.shows(photo("blue"), "Twoo")
    await until(lambda: engine.running)
    ann.person.edits(second, "Two")
    await until(lambda: reached.unconfirmed == 0)
    engine.gate.set()
    assert (await ann.answer(first)).startswith("Answer to 'One'")
    assert await ann.answer(second) == "Answer to 'Two' about [2] after 1 turns."
    assert [turn.text for turn in engine.asked[-1].turns] == ["One", "Two"]


async def test_a_question_edited_before_the_first_word_of_its_answer_begins_anew_in_place(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    usual = engine.script
    engine.script, engine.gate = lambda _: "Nonsense", asyncio.Event()
    question = ann.person.shows(photo(), "What is tihs?")
    await until(lambda: engine.running and ann.chat.by_bot())
    engine.script, engine.gate = usual, None
    ann.person.edits(question, "What is this?")
    assert await ann.answer(question) == "Answer to 'What is this?' about [1] after 0 turns."
    assert len(ann.chat.by_bot()) == 1
    assert len(engine.asked) == 2


async def test_an_albums_edited_caption_counts(running: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    ann.person.shows(photo("red"), album="a")
    captioned = ann.person.shows(photo("blue"), "Comapre", album="a")
    ann.person.edits(captioned, "Compare")
    assert await ann.answer(captioned) == "Answer to 'Compare' about [1, 2] after 0 turns."
