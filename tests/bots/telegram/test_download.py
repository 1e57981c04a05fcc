"""Files that Telegram does not hand over, or not whole: tried again, then said, with a button that asks again."""

from pathlib import Path

import pytest

from bots.telegram import files
from tests.bots.telegram.conftest import Chatting, photo, service, until
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi, Fault
from tests.bots.telegram.test_delivery import once
from tests.fakes import ScriptedEngine

NOT_HANDED_OVER = "Telegram did not hand over your file. Please try again in a moment."
NOT_WHOLE = "Your file did not arrive whole from Telegram. Please try again in a moment."


@pytest.fixture
def hasty_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "TRIES", 2)


async def test_a_download_is_tried_again(running: BotApi, ann: Chatting) -> None:
    running.trouble = once("getFile", "500", "drop before")
    assert (await ann.answer(ann.person.shows(photo(), "One"))).startswith("Answer to 'One' about [1]")
    for number, faults in enumerate([("drop before", "garbage"), ("a part", "a page")]):
        running.trouble = once("download", *faults)  # type: ignore[arg-type]
        question = ann.person.shows(photo(size=(64, 49 + number)), "Two")
        assert (await ann.answer(question)).startswith(f"Answer to 'Two' about [{number + 2}]")
        assert running.faults.total() == 2 * (number + 2)


@pytest.mark.usefixtures("hasty_downloads")
@pytest.mark.parametrize(
    ("method", "fault", "sentence"),
    [
        ("getFile", "500", NOT_HANDED_OVER),
        ("getFile", "400", NOT_HANDED_OVER),
        ("download", "404", NOT_HANDED_OVER),
        ("download", "a part", NOT_WHOLE),
        ("download", "a page", NOT_WHOLE),
    ],
)
async def test_a_file_that_does_not_arrive_is_asked_for_again_by_a_button(
    running: BotApi, ann: Chatting, method: str, fault: Fault, sentence: str
) -> None:
    await ann.answer(ann.person.shows(photo("blue"), "Before"))
    running.trouble = lambda called: fault if called == method else None
    [refused] = await ann.answers(ann.person.shows(photo(), "What is it?"))
    assert refused["text"] == sentence
    ann.person.presses(refused, "Try again")
    await until(lambda: [message["text"] for message in ann.chat.by_bot()[2:]] == [sentence])
    running.trouble = lambda called: None
    again = ann.chat.by_bot()[-1]
    ann.person.presses(again, "Try again")
    await until(lambda: ann.chat.by_bot()[-1]["text"] == "Answer to 'What is it?' about [2] after 1 turns.")


@pytest.mark.usefixtures("hasty_downloads")
async def test_the_button_brings_a_replied_picture_or_an_album_or_says_that_it_cannot(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path
) -> None:
    """Telegram shows the bot the question alone then, and it must not be answered about another picture."""
    chat = telegram.world.chat(-100)
    picture = Person(telegram, chat, user_id=8).shows(photo("blue"))
    team = Chatting(Person(telegram, chat, user_id=7))
    async with service(telegram, tmp_path, engine):
        await team.answer(team.person.shows(photo("red"), "@picture_bot before"))
        telegram.trouble = lambda method: "a part" if method == "download" else None
        reply = team.person.says("@picture_bot what is this?", reply_to=picture)
        [first] = await team.answers(reply)
        team.person.shows(photo("green"), album="a")
        [second] = await team.answers(team.person.shows(photo("white"), "@picture_bot compare", album="a"))
        lost = team.person.says("@picture_bot and this?", reply_to=picture)
        [third] = await team.answers(lost)
        telegram.trouble = lambda method: None
        team.person.presses(first)
        await until(lambda: chat.by_bot()[-1]["text"] == "Answer to 'what is this?' about [2] after 1 turns.")
        team.person.presses(second)
        await until(lambda: chat.by_bot()[-1]["text"] == "Answer to 'compare' about [3, 4] after 2 turns.")
    async with service(telegram, tmp_path, engine):
        team.person.presses(third)
        forgotten = "I do not remember that answer any more. Please send the picture again."
        await until(lambda: chat.by_bot()[-1]["text"] == forgotten)


async def test_an_answer_in_the_words_of_a_lost_file_is_an_answer(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting
) -> None:
    """What a button is about is told by the button, and not by what the message above it says."""
    button = {"inline_keyboard": [[{"text": "Try again", "callback_data": "retry"}]]}
    async with service(telegram, tmp_path, engine):
        await ann.answer(ann.person.shows(photo(), "What is it?"))
        engine.script = lambda _: NOT_WHOLE
        [answer] = await ann.answers(ann.person.says("What does it say?"))
        assert answer["text"] == NOT_WHOLE
        engine.script = lambda _: "Another answer."
        ann.person.presses({**answer, "reply_markup": button})
        await until(lambda: ann.chat.by_bot()[-1]["text"] == "Another answer.")


async def test_a_file_of_the_persons_own_is_read_whatever_it_begins_with(running: BotApi, ann: Chatting) -> None:
    """A web page that somebody saved as a picture: it came as it was sent."""
    question = ann.person.sends_file(b"<!DOCTYPE html><html></html>", "scan.png", "image/png", "What is this?")
    [answer] = await ann.answers(question)
    assert "arrive" not in answer["text"]
    assert "reply_markup" not in answer
    assert running.calls["download"] == 1


@pytest.mark.parametrize("megabytes", [21, 40])
async def test_a_file_over_20_megabytes_is_told_telegrams_limit(running: BotApi, ann: Chatting, megabytes: int) -> None:
    question = ann.person.sends_file(bytes(megabytes << 20), "scan.png", "image/png", "What is this?")
    assert (await ann.answer(question)).startswith(
        f"This file has {megabytes}.0 MB; Telegram hands over at most 20 MB to bots."
    )
    assert running.calls["download"] == 0
