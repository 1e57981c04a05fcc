"""An edited question is answered again, in the place of its answer, and never twice."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bots.conversing.dispatcher import Dispatcher
from bots.telegram import leftovers
from core import inbox
from core.revision import EDIT_SECONDS
from tests.bots.telegram.conftest import Chatting, is_finished, photo, service, until
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi, Fault
from tests.bots.telegram.world import Json
from tests.fakes import ScriptedEngine

ADMIN = 1


def words(ann: Chatting) -> list[str]:
    return [message["text"] for message in ann.chat.by_bot() if is_finished(message)]


async def says(ann: Chatting, *expected: str) -> None:
    """Wait until these are all of the bot's words."""
    try:
        await until(lambda: words(ann) == list(expected))
    except TimeoutError:
        raise AssertionError(words(ann)) from None


async def being_answered(ann: Chatting, engine: ScriptedEngine) -> Json:
    """Return a question whose answer grows, and does not end. Later answers do."""
    engine.gate = asyncio.Event()
    question = ann.person.shows(photo(), "One")
    await until(lambda: any("Answer" in message["text"] for message in ann.chat.by_bot()))
    engine.gate = None
    return question


async def test_an_edit_after_the_answer_replaces_it(reached: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    question = ann.person.shows(photo(), "One")
    answered = (await ann.answers(question))[0]["message_id"]
    ann.person.edits(question, "Two")
    await says(ann, "Answer to 'Two' about [1] after 0 turns.")
    assert [message["message_id"] for message in ann.chat.by_bot()] == [answered]
    ann.person.edits(question, "Three")
    await says(ann, "Answer to 'Three' about [1] after 0 turns.")
    assert await ann.answer(ann.person.says("And now?")) == "Answer to 'And now?' about [] after 1 turns."
    assert [turn.text for turn in engine.asked[-1].turns] == ["Three", "And now?"]


async def test_an_edit_while_it_is_answered_begins_again(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    question = await being_answered(ann, engine)
    ann.person.edits(question, "Two")
    ann.person.edits(question, "Three")  # quickly once more
    await says(ann, "Answer to 'Three' about [1] after 0 turns.")
    assert len(ann.chat.by_bot()) == 1


async def test_a_caption_added_later_is_answered_in_the_place_of_the_words_about_the_picture(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    picture = ann.person.shows(photo())
    assert "Got picture 1." in await ann.answer(picture)
    ann.person.edits(picture, "What is it?")
    await says(ann, "Answer to 'What is it?' about [1] after 0 turns.")


async def test_a_caption_added_to_an_answered_album_is_about_all_of_it(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    first, _ = (ann.person.shows(photo(colour), text, album="a") for colour, text in (("red", "Compare"), ("blue", "")))
    assert await ann.answer(first) == "Answer to 'Compare' about [1, 2] after 0 turns."
    ann.person.edits(first, "Describe")
    await says(ann, "Answer to 'Describe' about [1, 2] after 0 turns.")


async def test_an_album_keeps_its_answer_when_a_picture_without_words_is_replaced(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    first, second = (
        ann.person.shows(photo(colour), text, album="a") for colour, text in (("red", "Compare"), ("blue", ""))
    )
    answer = await ann.answer(first)
    ann.person.replaces(second, photo("green"), "")
    await ann.answer(ann.person.says("/help"))
    assert words(ann)[0] == answer
    assert [asked.turns[-1].text for asked in engine.asked] == ["Compare"]


@pytest.mark.parametrize("caption", ["One", "Two"])
async def test_a_replaced_picture_is_asked_about_alone_and_the_old_one_is_gone(
    running: BotApi, ann: Chatting, engine: ScriptedEngine, caption: str
) -> None:
    await ann.answer(ann.person.shows(photo("blue"), "First"))
    question = ann.person.shows(photo(), "One")
    assert await ann.answer(question) == "Answer to 'One' about [2] after 1 turns."
    ann.person.replaces(question, photo("green"), caption)
    await says(ann, "Answer to 'First' about [1] after 0 turns.", f"Answer to '{caption}' about [3] after 1 turns.")
    assert "Picture 2" not in await ann.answer(ann.person.says("/pictures"))


async def test_a_replaced_picture_that_waits_for_its_question_is_gone(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    picture = ann.person.shows(photo())
    assert "Got picture 1." in await ann.answer(picture)
    ann.person.replaces(picture, photo("green"), "")
    await until(lambda: any("Got picture 2." in text for text in words(ann)))
    assert await ann.answer(ann.person.says("What is it?")) == "Answer to 'What is it?' about [2] after 0 turns."


async def test_a_picture_replaced_while_it_is_asked_about_is_gone(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    question = await being_answered(ann, engine)
    ann.person.replaces(question, photo("green"), "One")
    await until(lambda: len(engine.asked) == 2)
    await until(lambda: len(words(ann)) == 1)
    assert [len(asked.turns[-1].pictures) for asked in engine.asked] == [1, 1]
    assert engine.asked[0].turns[-1].pictures[0].image != engine.asked[1].turns[-1].pictures[0].image


async def test_a_picture_replaced_by_something_else_is_gone(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    picture = ann.person.shows(photo())
    await ann.answer(picture)
    del picture["photo"]
    picture["video"] = {"file_id": "v", "file_unique_id": "v", "width": 64, "height": 48, "duration": 1}
    ann.person.edits(picture, "")
    await until(lambda: words(ann) and "Got picture" not in words(ann)[0])
    assert "video" in words(ann)[0]
    assert await ann.answer(ann.person.says("/pictures")) == "There are no pictures in this conversation yet."


async def test_the_other_pictures_of_an_album_stay_when_the_one_with_the_caption_is_replaced(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    first, _ = (ann.person.shows(photo(colour), text, album="a") for colour, text in (("red", "Compare"), ("blue", "")))
    await ann.answer(first)
    ann.person.replaces(first, photo("green"), "Compare")
    await says(ann, "Answer to 'Compare' about [2, 3] after 0 turns.")


async def test_an_edited_first_question_begins_no_further_conversation(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    first = ann.person.shows(photo(), "/new One")
    await ann.answer(first)
    await ann.answer(ann.person.says("More?"))
    ann.person.edits(first, "/new Two")
    await until(lambda: "'Two'" in words(ann)[0])
    await ann.answer(ann.person.says("And now?"))
    assert [turn.text for turn in engine.asked[-1].turns] == ["Two", "More?", "And now?"]


async def test_an_edit_finds_what_was_posted_while_the_reply_was_lost(
    running: BotApi, ann: Chatting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "STORED_SECONDS", 0.1)
    lost = ["sendMessage"]

    def lose(method: str) -> Fault | None:
        if method not in lost:
            return None
        lost.clear()
        ann.person.edits(picture, "What is it?")
        return "drop after"

    running.trouble = lose
    picture = ann.person.shows(photo())
    await until(lambda: running.calls["deleteMessage"] == 1)
    await says(ann, "Answer to 'What is it?' about [1] after 0 turns.")


async def test_the_second_of_two_quick_edits_keeps_the_place(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    question = ann.person.shows(photo(), "One")
    await ann.answer(question)
    await ann.answer(ann.person.says("More?"))
    engine.gate = asyncio.Event()
    ann.person.edits(question, "Two")
    await until(lambda: engine.asked[-1].turns[-1].text == "Two")
    engine.gate = None
    ann.person.edits(question, "Three")
    await until(lambda: "'Three'" in words(ann)[0])
    await ann.answer(ann.person.says("And now?"))
    assert [turn.text for turn in engine.asked[-1].turns] == ["Three", "More?", "And now?"]


async def test_who_was_blocked_meanwhile_gets_no_answer_by_an_edit(
    telegram: BotApi, ann: Chatting, engine: ScriptedEngine, tmp_path: Path
) -> None:
    boss = Chatting(Person(telegram, telegram.world.chat(ADMIN)))
    async with service(telegram, tmp_path, engine, admins=[ADMIN]):
        question = ann.person.shows(photo(), "One")
        await ann.answer(question)
        await boss.answer(boss.person.says("/block 7"))
        ann.person.edits(question, "Two")
        await boss.answer(boss.person.shows(photo(), "Three"))
    assert [asked.turns[-1].text for asked in engine.asked] == ["One", "Three"]


async def test_the_same_edit_again_one_that_changes_nothing_and_a_late_one_are_not_answered(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    question = ann.person.shows(photo(), "One")
    await ann.answer(question)
    ann.person.edits(question, "One")
    ann.person.edits(question, "Two", twice=True)
    await says(ann, "Answer to 'Two' about [1] after 0 turns.")
    ann.person.edits(question, "Three", after_s=EDIT_SECONDS)
    ann.person.edits(question, "Two")
    await ann.answer(ann.person.says("/help"))
    assert [asked.turns[-1].text for asked in engine.asked] == ["One", "Two"]


async def test_an_older_edit_that_is_delivered_again_changes_nothing(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    question = ann.person.shows(photo(), "One")
    await ann.answer(question)
    ann.person.edits(question, "Two")
    older = dict(question)
    ann.person.edits(question, "Three")
    await says(ann, "Answer to 'Three' about [1] after 0 turns.")
    running.update(edited_message=older)
    await ann.answer(ann.person.says("/help"))
    assert words(ann)[0] == "Answer to 'Three' about [1] after 0 turns."


async def test_of_two_edits_in_one_second_the_later_one_counts_whichever_comes_last(
    telegram: BotApi, ann: Chatting, engine: ScriptedEngine, tmp_path: Path
) -> None:
    async with service(telegram, tmp_path, engine, webhook=True):
        question = ann.person.shows(photo(), "One")
        await ann.answer(question)
        ann.person.edits(question, "Two")
        late = telegram.take_update()
        ann.person.edits(question, "Three", after_s=0)
        await says(ann, "Answer to 'Three' about [1] after 0 turns.")
        telegram.repeat(late)
        await ann.answer(ann.person.says("/help"))
    assert words(ann)[0] == "Answer to 'Three' about [1] after 0 turns."


async def test_an_edit_may_make_a_command_of_a_question_and_a_question_of_a_command(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    question = ann.person.shows(photo(), "One")
    await ann.answer(question)
    ann.person.edits(question, "/settings")
    await until(lambda: "How I answer" in (words(ann) or [""])[0])
    ann.person.edits(question, "Two")
    await says(ann, "Answer to 'Two' about [1] after 0 turns.")


async def test_an_edit_counts_after_a_restart(
    telegram: BotApi, ann: Chatting, engine: ScriptedEngine, tmp_path: Path
) -> None:
    async with service(telegram, tmp_path, engine):
        question = ann.person.shows(photo(), "One")
        await ann.answer(question)
        engine.pause = 60
        ann.person.edits(question, "Two")
        await until(lambda: engine.running)
    engine.pause = 0
    async with service(telegram, tmp_path, engine):
        await says(ann, "Answer to 'Two' about [1] after 0 turns.")
    ann.person.edits(question, "Three")  # while the bot is down
    async with service(telegram, tmp_path, engine):
        await says(ann, "Answer to 'Three' about [1] after 0 turns.")
    assert len(ann.chat.by_bot()) == 1


async def test_a_mention_added_in_a_group_is_answered_and_another_persons_edit_is_not(
    running: BotApi, engine: ScriptedEngine
) -> None:
    group = running.world.chat(-5)
    ann, bob = Person(running, group, 7), Person(running, group, 8)
    talk = bob.says("What a day")
    picture = ann.shows(photo(), "Look")
    ann.edits(picture, "@picture_bot What is it?")
    assert await Chatting(ann).answer(picture) == "Answer to 'What is it?' about [1] after 0 turns."
    bob.edits(talk, "What a nice day")
    ann.edits(picture, "@picture_bot And now?")
    await until(lambda: "And now?" in group.by_bot()[0]["text"])
    assert len(engine.asked) == 2


async def test_a_forgotten_question_is_not_answered_again(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    question = ann.person.shows(photo(), "One")
    await ann.answer(question)
    await ann.answer(ann.person.says("/forget"))
    ann.person.edits(question, "Two")
    await ann.answer(ann.person.says("/help"))
    assert len(engine.asked) == 1


@pytest.mark.parametrize("ending", ["stopped", "failed"])
async def test_an_edit_after_an_answer_that_was_not_whole(
    running: BotApi, ann: Chatting, engine: ScriptedEngine, ending: str
) -> None:
    usual = engine.script
    if ending == "stopped":
        question = await being_answered(ann, engine)
        ann.person.presses(ann.chat.by_bot()[0], "Stop")
    else:
        engine.script = lambda asked: RuntimeError("it broke")
        question = ann.person.shows(photo(), "One")
    await ann.answers(question)
    engine.script = usual
    ann.person.edits(question, "Two")
    await says(ann, "Answer to 'Two' about [1] after 0 turns.")


async def test_an_edit_of_what_is_kept_for_the_next_start_is_answered_then(
    telegram: BotApi,
    ann: Chatting,
    engine: ScriptedEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise ValueError

    with monkeypatch.context() as broken:
        broken.setattr(inbox, "Inbox", partial(inbox.Inbox, pauses_s=(0.0,)))
        broken.setattr(Dispatcher, "answer", fail)
        async with service(telegram, tmp_path, engine):
            question = ann.person.shows(photo(), "One")
            await until(lambda: "is kept for the next start" in caplog.text)
            ann.person.edits(question, "Two")
            ann.person.says("Later")
            await until(lambda: caplog.text.count("is kept for the next start") == 2)  # so the edit was received
    async with service(telegram, tmp_path, engine):
        assert await ann.answer(question) == "Answer to 'Two' about [1] after 0 turns."
