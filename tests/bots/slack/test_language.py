"""The bot's own sentences are in the language of the question where that is clear, else in the person's."""

from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.workspace import BOT, said

DM = "D0ANN"


async def test_sentences_follow_the_question(scene: Scene) -> None:
    scene.slack.workspace.locales["U0LI"] = "zh-CN"
    async with scene.bot():
        asked = scene.slack.says(f"<@{BOT}> 总金额是多少？")
        assert (await scene.answer(asked)).startswith("请发一张图片")
        asked = scene.slack.says(f"<@{BOT}> what is the total?", user="U0LI")
        assert (await scene.answer(asked)).startswith("Send a picture")
        photo = scene.slack.says("", (scene.slack.upload(png()),), channel=DM, user="U0LI")
        assert await scene.answer(photo, DM) == "收到图片 1。您想知道什么？"
        scene.slack.says("帮助", channel=DM, thread=photo)
        assert said((await scene.finished(photo, 2, DM))[1]).startswith("请发给我一张图片")
