"""What the model could only answer by invention, or what nobody asked: it gets a sentence, or silence."""

import pytest

from core.errors import BadQuestion, Busy, QuotaReached
from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.workspace import BOT, buttons, said

ME = f"<@{BOT}>"
DM = "D0ANN"
ASKS_FOR_ONE = "Send a picture with your question"


async def test_without_any_picture_every_question_asks_for_one(scene: Scene) -> None:
    async with scene.bot():
        for text in ("What is the total?", "hello there", "thanks!"):
            asked = scene.slack.says(text, channel=DM)
            assert (await scene.answer(asked, DM)).startswith(ASKS_FOR_ONE)
        asked = scene.slack.says(f"{ME} what is the total?")
        assert (await scene.answer(asked)).startswith(ASKS_FOR_ONE)
        asked = scene.ask()
        await scene.finished(asked)
        scene.slack.says(f"{ME} remove 1", thread=asked)
        await scene.finished(asked, 2)
        scene.slack.says(f"{ME} and the date?", thread=asked)
        assert said((await scene.finished(asked, 3))[-1]).startswith(ASKS_FOR_ONE)
        assert len(scene.engine.asked) == 1


async def test_in_a_thread_thanks_and_words_to_others_get_nothing(scene: Scene) -> None:
    async with scene.bot(threads="follow"):
        asked = scene.ask()
        await scene.finished(asked)
        for text in (
            "thanks!",
            "哈哈哈",
            "👍👍",
            f"{ME} thank you",
            "<@U0BOB> look at this",
            "<!here> what do you say?",
        ):
            scene.slack.says(text, thread=asked)
        scene.slack.says("and why?", thread=asked)
        assert said((await scene.finished(asked, 2))[1]) == "Answer to 'and why?' about [] after 1 turns."
        scene.slack.says(f"{ME} what does <@U0BOB> say?", thread=asked)
        assert len(await scene.finished(asked, 3)) == len(scene.engine.asked) == 3


async def test_one_bad_file_of_two_is_named(scene: Scene) -> None:
    async with scene.bot():
        files = (scene.slack.upload(b"no picture", "scan.png"), scene.slack.upload(png(), "good.png"))
        answer = await scene.answer(scene.slack.says(f"{ME} what is it?", files))
        assert answer.startswith("Answer to 'what is it?' about [1]")
        assert "scan.png: This is a text file." in answer


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (Busy("Too many questions are waiting already. Please ask again in a minute."), ["Try again"]),
        (RuntimeError("a bug of the model"), ["Try again"]),
        (BadQuestion("Your question is too long: at most {limit} characters, please.", limit=8000), []),
        (QuotaReached("That is more than {limit} questions a minute. Try again in {wait} s.", limit=10, wait=9), []),
        (None, ["Try again"]),
    ],
)
async def test_try_again_stands_only_where_it_can_help(scene: Scene, error: Exception | None, again: list[str]) -> None:
    async with scene.bot():
        if error:
            scene.engine.script = lambda _: error
        [message] = await scene.finished(scene.ask())
        assert [button["text"]["text"] for button in buttons(message)] == again


async def test_below_the_bots_own_sentences_nothing_is_offered(scene: Scene) -> None:
    async with scene.bot():
        for text, files in (
            ("What is it?", ()),
            ("What is it?", (scene.slack.upload(b"no picture", "scan.png"),)),
            ("help", ()),
        ):
            [message] = await scene.finished(scene.slack.says(text, files, channel=DM), channel=DM)
            assert not buttons(message)


async def test_in_a_channel_a_picture_without_a_question_is_not_added_to_somebody_elses(scene: Scene) -> None:
    async with scene.bot():
        root = scene.slack.says(ME, (scene.slack.upload(png("red")),))
        assert (await scene.answer(root)).startswith("Got picture 1.")
        scene.slack.says(f"{ME} what is this?", (scene.slack.upload(png("blue")),), thread=root, user="U0BOB")
        assert said((await scene.finished(root, 2))[1]) == "Answer to 'what is this?' about [2] after 0 turns."
        scene.slack.says(f"{ME} compare", (scene.slack.upload(png("green")),), thread=root)
        assert said((await scene.finished(root, 3))[2]) == "Answer to 'compare' about [1, 3] after 1 turns."
