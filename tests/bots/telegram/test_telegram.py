import asyncio

from telegram import Bot

from tests.bots.telegram.conftest import Chatting, photo, service, until
from tests.bots.telegram.server import BotApi, Person
from tests.fakes import ScriptedEngine


async def test_photo_with_caption_becomes_an_answer(running: BotApi, ann: Chatting) -> None:
    question = ann.person.shows(photo(), "What is this?")
    assert await ann.answer(question) == "Answer to 'What is this?' about [1] after 0 turns."


async def test_photo_alone_is_kept_until_its_question_comes(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    assert await ann.answer(ann.person.shows(photo())) == "Got picture 1. What would you like to know?"
    assert len(engine.looked) == 1
    assert await ann.answer(ann.person.says("What is it?")) == "Answer to 'What is it?' about [1] after 0 turns."


async def test_follow_up_needs_no_picture(running: BotApi, ann: Chatting) -> None:
    await ann.answer(ann.person.shows(photo(), "What is this?"))
    assert await ann.answer(ann.person.says("And now?")) == "Answer to 'And now?' about [] after 1 turns."


async def test_album_is_one_question_in_message_order(running: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    ann.person.shows(photo("red"), album="a")
    captioned = ann.person.shows(photo("green"), "Compare them", album="a")
    ann.person.shows(photo("blue"), album="a")
    assert await ann.answer(captioned) == "Answer to 'Compare them' about [1, 2, 3] after 0 turns."
    colours = [PICTURES[picture.image.id] for picture in engine.asked[0].turns[-1].pictures]
    assert colours == ["red", "green", "blue"]
