"""A closer look at a part of a picture, by words and by buttons."""

import pytest

from core.answer import Ending
from core.conversation import Conversation
from core.errors import Busy
from tests.bots.telegram.conftest import Chatting, photo, until
from tests.bots.telegram.server import BotApi
from tests.bots.telegram.test_extras import labels
from tests.fakes import ScriptedEngine

BOXES = '[{"bbox_2d": [0, 0, 400, 400], "label": "a"}, {"bbox_2d": [600, 600, 800, 800], "label": "b"}]'
WHAT_IS_THIS = "What is this? Read everything that is printed there."


def seen(conversation: Conversation) -> str:
    turn = conversation.turns[-1]
    return f"{turn.text} " + str([(it.number, it.image.width, it.image.height, it.part) for it in turn.pictures])


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("/closer top right", f"{WHAT_IS_THIS} [(3, 88, 55, Part(parent=2"),
        ("/closer picture 1 left: what is it?", "what is it? [(3, 55, 100, Part(parent=1"),
        ("/closer 图片 1 右下角 写了什么？", "写了什么？ [(3, 55, 55, Part(parent=1"),
    ],
)
async def test_words_name_a_part_of_the_last_picture_or_of_another(
    running: BotApi, ann: Chatting, engine: ScriptedEngine, command: str, said: str
) -> None:
    await ann.answer(ann.person.shows(photo("red", (100, 100)), "One"))
    await ann.answer(ann.person.shows(photo("blue", (160, 100)), "Two"))
    engine.script = seen
    assert (await ann.answer(ann.person.says(command))).startswith(said)


async def test_a_part_of_the_picture_that_it_comes_with_and_of_the_one_that_it_replies_to(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    engine.script = seen
    sent = ann.person.shows(photo("red", (100, 100)), "/closer left")
    assert "[(2, 55, 100, Part(parent=1" in await ann.answer(sent)
    await ann.answer(ann.person.shows(photo("blue", (160, 100)), "Two"))
    assert "[(4, 100, 55, Part(parent=1" in await ann.answer(ann.person.says("/closer top", reply_to=sent))


async def test_what_names_no_part_says_what_to_write(running: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    await ann.answer(ann.person.shows(photo(), "One"))
    for words in ("/closer", "/closer please"):
        assert await ann.answer(ann.person.says(words)) == "Say where to look: /closer top right, for example."
    assert "no picture 7" in await ann.answer(ann.person.says("/closer top of picture 7"))
    assert len(engine.asked) == 1


async def test_each_box_of_an_answer_can_be_looked_at_closer(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    engine.script = lambda _: BOXES
    ann.person.shows(photo("red", (100, 100)), "Where?")
    offered = ["Look closer at 1", "Look closer at 2"]
    await until(lambda: any(labels(message) == offered for message in ann.chat.by_bot()))
    [answer] = [message for message in ann.chat.by_bot() if labels(message) == offered]
    engine.script = seen
    ann.person.presses(answer, "Look closer at 2")
    await until(lambda: "[(2, 32, 32, Part(parent=1" in ann.chat.by_bot()[-1].get("text", ""))


async def test_a_refused_look_is_tried_again_as_one(running: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    engine.script = lambda _: BOXES
    ann.person.shows(photo("red", (100, 100)), "Where?")
    await until(lambda: any("Look closer at 2" in labels(message) for message in ann.chat.by_bot()))
    [answer] = [message for message in ann.chat.by_bot() if "Look closer at 2" in labels(message)]
    engine.script = lambda _: Busy("Too many questions are waiting already. Please ask again in a minute.")
    ann.person.presses(answer, "Look closer at 2")
    await until(lambda: labels(ann.chat.by_bot()[-1]) == ["Try again"])
    engine.script = seen
    ann.person.presses(ann.chat.by_bot()[-1], "Try again")
    await until(lambda: "[(2, 32, 32, Part(parent=1" in ann.chat.by_bot()[-1].get("text", ""))


async def test_an_answer_that_is_too_long_can_go_on(running: BotApi, ann: Chatting, engine: ScriptedEngine) -> None:
    engine.ending = Ending.LENGTH
    [first] = await ann.answers(ann.person.shows(photo(), "Read all of it"))
    assert labels(first) == ["Go on"]
    ann.person.presses(first, "Go on")
    await until(lambda: ann.chat.by_bot()[-1]["text"].startswith("Answer to 'Go on.' about [] after 1 turns."))


async def test_an_answer_does_not_go_on_after_another_question(
    running: BotApi, ann: Chatting, engine: ScriptedEngine
) -> None:
    engine.ending = Ending.LENGTH
    [first] = await ann.answers(ann.person.shows(photo(), "Read all of it"))
    await ann.answer(ann.person.says("Another?"))
    ann.person.presses(first, "Go on")
    refused = "Other questions were asked since then. Please ask for the rest in your own words."
    await until(lambda: ann.chat.by_bot()[-1]["text"] == refused)
    assert len(engine.asked) == 2
