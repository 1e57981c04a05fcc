"""Words and buttons that stand for a question."""

import pytest

from core.errors import Busy
from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.workspace import BOT, buttons, said
from tests.fakes import describe

DM = "D0ANN"
ME = f"<@{BOT}>"


@pytest.mark.parametrize(
    ("words", "question"),
    [
        ("text", "Extract all text."),
        ("文字", "提取图中的所有文字"),
        ("translate", "Translate all text in the picture into English."),
        ("where is the total?", "where is the total?"),
        ("where", "where"),
    ],
)
async def test_a_word_is_asked_as_the_question_that_it_stands_for(scene: Scene, words: str, question: str) -> None:
    async with scene.bot():
        asked = scene.slack.says(words, (scene.slack.upload(png()),), channel=DM)
        assert f"Answer to '{question}' about [1] after 0 turns." in await scene.answer(asked, DM)


async def test_a_refused_button_is_tried_again_as_it_was_pressed(scene: Scene) -> None:
    async with scene.bot():
        asked = scene.slack.says("", (scene.slack.upload(png()),), channel=DM)
        [kept] = await scene.finished(asked, channel=DM)
        labels = [button["text"]["text"] for button in buttons(kept)]
        assert labels == ["Describe", "Read text", "As a table", "Translate"]
        scene.engine.script = lambda _: Busy("Too many questions are waiting already. Please ask again in a minute.")
        scene.slack.presses(buttons(kept)[1], kept, DM)
        await scene.slack.settled()
        await scene.finished(asked, 2, DM)
        scene.engine.script = describe
        scene.slack.presses(*await scene.button(asked, "retry", DM), DM)
        await scene.slack.settled()
        assert "Answer to 'Extract all text.' about [1]" in said((await scene.finished(asked, 2, DM))[-1])
        assert buttons((await scene.finished(asked, 2, DM))[0]) == buttons(kept)


async def test_below_somebody_elses_picture_a_mention_offers_them_too(scene: Scene) -> None:
    async with scene.bot():
        posted = scene.slack.says("look", (scene.slack.upload(png()),), user="U0BOB")
        scene.slack.says(ME, thread=posted)
        [kept] = await scene.finished(posted)
        scene.slack.presses(buttons(kept)[0], kept)
        await scene.slack.settled()
        assert "Describe the picture" in said((await scene.finished(posted, 2))[-1])
