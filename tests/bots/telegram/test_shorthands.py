"""Commands and buttons that stand for a question."""

import pytest

from core.errors import Busy
from tests.bots.telegram.conftest import Chatting, is_finished, photo, until
from tests.bots.telegram.server import BotApi
from tests.bots.telegram.test_extras import labels
from tests.fakes import ScriptedEngine


@pytest.mark.parametrize(
    ("command", "question"),
    [
        ("/text", "Extract all text."),
        ("/where the total", "Where is the total?"),
        ("/where 合计金额", "合计金额在哪里？"),
        ("/translate", "Translate all text in the picture into English."),
        ("/translate German", "Translate all text in the picture into German."),
        ("/table of the second page", "table of the second page"),
    ],
)
async def test_a_command_is_asked_as_the_question_that_it_stands_for(
    running: BotApi, ann: Chatting, command: str, question: str
) -> None:
    answer = f"Answer to '{question}' about [1] after 0 turns."
    assert await ann.answer(ann.person.shows(photo(), command)) == answer


async def test_where_without_words_says_what_to_write(running: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    await ann.answer(ann.person.shows(photo(), "One"))
    assert await ann.answer(ann.person.says("/where")) == "Say what to look for: /where the total, for example."
    assert len(engine.asked) == 1


async def test_a_refused_button_is_tried_again_as_it_was_pressed(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    [kept] = await ann.answers(ann.person.shows(photo()))
    assert labels(kept) == ["Describe", "Read text", "As a table", "Translate"]
    answering = engine.script
    engine.script = lambda _: Busy("Too many questions are waiting already. Please ask again in a minute.")
    ann.person.presses(kept, "Read text")
    await until(lambda: len(ann.chat.by_bot()) == 2 and is_finished(ann.chat.by_bot()[-1]))
    engine.script = answering
    ann.person.presses(ann.chat.by_bot()[-1], "Try again")
    await until(lambda: ann.chat.by_bot()[-1]["text"] == "Answer to 'Extract all text.' about [1] after 0 turns.")


async def test_a_button_asks_about_the_picture_above_it_and_not_about_a_later_one(
    running: BotApi, ann: Chatting
) -> None:
    [first] = await ann.answers(ann.person.shows(photo("red")))
    await ann.answer(ann.person.shows(photo("blue"), "What is this?"))
    ann.person.presses(first, "Describe")
    await until(lambda: "Describe the picture" in ann.chat.by_bot()[-1]["text"])
    assert "about [1]" in ann.chat.by_bot()[-1]["text"]
