"""A closer look at a part of a picture, by words and by buttons."""

import pytest

from core.answer import Ending
from core.conversation import Conversation
from core.errors import Busy
from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.workspace import buttons, said

DM = "D0ANN"
BOXES = '[{"bbox_2d": [0, 0, 400, 400], "label": "a"}, {"bbox_2d": [600, 600, 800, 800], "label": "b"}]'


def seen(conversation: Conversation) -> str:
    turn = conversation.turns[-1]
    return f"{turn.text} " + str([(it.number, it.image.width, it.image.height) for it in turn.pictures])


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("closer top right", "What is this? Read everything that is printed there. [(2, 55, 55)]"),
        ("Closer left: What is the Total?", "What is the Total? [(2, 55, 100)]"),
        ("放大 图片 1 右下角", "这是什么？请读出上面印的所有文字。 [(2, 55, 55)]"),
        ("closer to the door, what is that?", "closer to the door, what is that? []"),
    ],
)
async def test_words_name_a_part_of_the_threads_picture(scene: Scene, words: str, answer: str) -> None:
    scene.engine.script = seen
    async with scene.bot():
        asked = scene.slack.says("one", (scene.slack.upload(png("red", (100, 100))),), channel=DM)
        await scene.answer(asked, DM)
        scene.slack.says(words, thread=asked, channel=DM)
        assert answer in said((await scene.finished(asked, 2, DM))[-1])


async def test_closer_alone_says_what_to_write(scene: Scene) -> None:
    async with scene.bot():
        asked = scene.slack.says("one", (scene.slack.upload(png()),), channel=DM)
        await scene.answer(asked, DM)
        scene.slack.says("closer", thread=asked, channel=DM)
        answer = said((await scene.finished(asked, 2, DM))[-1])
        assert "Say where to look: closer top right, for example." in answer


async def test_each_box_of_an_answer_can_be_looked_at_closer(scene: Scene) -> None:
    scene.engine.script = lambda _: BOXES
    async with scene.bot():
        asked = scene.slack.says("where?", (scene.slack.upload(png("red", (100, 100))),), channel=DM)
        [answer] = [message for message in await scene.finished(asked, 1, DM) if buttons(message)]
        labels = [button["text"]["text"] for button in buttons(answer)]
        assert labels[:2] == ["Look closer at 1", "Look closer at 2"]
        scene.engine.script = seen
        scene.slack.presses(buttons(answer)[1], answer, DM)
        await scene.slack.settled()
        assert "[(2, 32, 32)]" in said((await scene.finished(asked, 2, DM))[-1])


async def test_a_refused_look_is_tried_again_as_one(scene: Scene) -> None:
    scene.engine.script = lambda _: BOXES
    async with scene.bot():
        asked = scene.slack.says("where?", (scene.slack.upload(png("red", (100, 100))),), channel=DM)
        [answer] = [message for message in await scene.finished(asked, 1, DM) if buttons(message)]
        scene.engine.script = lambda _: Busy("Too many questions are waiting already. Please ask again in a minute.")
        scene.slack.presses(buttons(answer)[1], answer, DM)
        await scene.slack.settled()
        refusal = (await scene.finished(asked, 2, DM))[-1]
        scene.engine.script = seen
        [again] = [button for button in buttons(refusal) if button["text"]["text"] == "Try again"]
        scene.slack.presses(again, refusal, DM)
        await scene.slack.settled()
        assert "[(2, 32, 32)]" in said((await scene.finished(asked, 2, DM))[-1])


async def test_an_answer_that_is_too_long_can_go_on(scene: Scene) -> None:
    scene.engine.ending = Ending.LENGTH
    async with scene.bot():
        asked = scene.slack.says("读出全部", (scene.slack.upload(png()),), channel=DM)
        [first] = await scene.finished(asked, channel=DM)
        [go_on] = [button for button in buttons(first) if button["action_id"] == "go_on"]
        scene.slack.presses(go_on, first, DM)
        await scene.slack.settled()
        assert "Answer to '请继续。' about [] after 1 turns." in said((await scene.finished(asked, 2, DM))[-1])
