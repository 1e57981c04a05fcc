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
    translator = Translator(language)
    async with scene.bot(admins=["U0ANN"]):
        helped = await scene.answer(scene.slack.says(f"{ME} help", user="U0ANN"))
        asked = scene.slack.says(f"{ME} one", (scene.slack.upload(png()),))
        await scene.finished(asked)
        order = COMMANDS[name].spelled(SLACK, translator).replace("2", "1")
        scene.slack.says(f"{ME} {order}", thread=asked)
        answers = await scene.finished(asked, 2)
    words = [said(answer) for answer in answers[1:]]
    assert (helped in words) == (name == "help")
    assert not any(text.startswith(("Something went wrong", "Say ", "出了点问题")) for text in words)


@pytest.mark.parametrize(
    ("language", "channel", "more", "private", "both"),
    [
        ("en", "@pictures What is the total?", "@pictures And the tax?", "Then you can simply ask more", "delete it"),
        ("zh", "@pictures 合计是多少？", "@pictures 税额呢？", "之后可以直接接着问", "删除问题"),
    ],
)
@pytest.mark.parametrize("threads", ["mention", "follow"])
async def test_the_help_says_how_the_bot_is_asked_in_this_place(
    scene: Scene, language: str, channel: str, more: str, private: str, both: str, threads: str
) -> None:
    scene.slack.workspace.locales["U0ANN"] = language
    async with scene.bot(threads=threads):
        alone = await scene.answer(scene.slack.says("help", channel="D0ANN"), channel="D0ANN")
        among_people = await scene.answer(scene.slack.says(f"{ME} help"))
    assert private in alone and "@" not in alone
    assert channel in among_people and private not in among_people
    assert (more in among_people) == (threads == "mention")
    assert both in alone and both in among_people
    new = f"{COMMANDS['new'].spelled(SLACK, Translator(language))} – "
    assert new in alone and new in among_people


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
