"""Every row of the table of commands on Slack, where they are plain words in the thread, in English and Chinese."""

import pytest

from bots.conversing.commands import COMMANDS
from bots.slack.platform import SLACK
from core.i18n import Translator
from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.workspace import BOT, said

ME = f"<@{BOT}>"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", COMMANDS)
async def test_every_command_is_carried_out_in_a_thread(scene: Scene, name: str, language: str) -> None:
    scene.slack.workspace.locales["U0ANN"] = language
    voice = Translator(language)
    async with scene.bot(admins=["U0ANN"]):
        helped = await scene.answer(scene.slack.says(f"{ME} help", user="U0ANN"))
        asked = scene.slack.says(f"{ME} one", (scene.slack.upload(png()),))
        await scene.finished(asked)
        order = COMMANDS[name].spelled(SLACK, voice).replace("2", "1")
        scene.slack.says(f"{ME} {order}", thread=asked)
        answers = await scene.finished(asked, 2)
    words = [said(answer) for answer in answers[1:]]
    assert (helped in words) == (name == "help")
    assert not any(text.startswith(("Something went wrong", "Say ", "出了点问题")) for text in words)


@pytest.mark.parametrize("name", [name for name, row in COMMANDS.items() if row.about_conversation])
async def test_what_is_about_a_conversation_means_nothing_where_one_begins(scene: Scene, name: str) -> None:
    async with scene.bot():
        order = COMMANDS[name].spelled(SLACK, Translator("en"))
        assert (await scene.answer(scene.slack.says(f"{ME} {order}"))).startswith("This works only in a thread")


async def test_a_typed_retry_answers_the_last_question_again(scene: Scene) -> None:
    async with scene.bot():
        asked = scene.ask("what is it?")
        await scene.finished(asked)
        scene.engine.script = lambda conversation: f"Again: {conversation.turns[-1].text}"
        scene.slack.says(f"{ME} retry", thread=asked)
        answers = await scene.finished(asked, 2)
    assert said(answers[-1]) == "Again: what is it?"
    assert len(scene.engine.asked) == 2
