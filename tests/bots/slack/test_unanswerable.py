"""What the model could only answer by invention, or what nobody asked: it gets a sentence, or silence."""

from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.workspace import BOT, said

ME = f"<@{BOT}>"
DM = "D0ANN"
ASKS_FOR_ONE = "Send a picture with your question"


async def test_without_any_picture_every_question_asks_for_one(scene: Scene) -> None:
    async with scene.bot():
        for text in ("What is the total?", "你好吗", "thanks!"):
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
