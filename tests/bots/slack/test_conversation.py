"""What people do in channels, threads and direct messages, and what they read then."""

from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.workspace import BOT, said

ME = f"<@{BOT}>"


async def test_a_mention_with_a_picture_is_answered_in_its_thread(scene: Scene) -> None:
    async with scene.bot():
        asked = scene.slack.says(f"{ME} what is it?", (scene.slack.upload(png()),))
        assert await scene.answer(asked) == "Answer to 'what is it?' about [1] after 0 turns."


async def test_a_follow_up_in_the_thread_needs_no_picture(scene: Scene) -> None:
    async with scene.bot():
        asked = scene.slack.says(f"{ME} what is it?", (scene.slack.upload(png()),))
        await scene.finished(asked)
        scene.slack.says(f"{ME} and why?", thread=asked)
        answers = await scene.finished(asked, 2)
        assert said(answers[1]) == "Answer to 'and why?' about [] after 1 turns."
