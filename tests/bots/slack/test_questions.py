"""Questions that are edited or deleted in Slack before their answers are whole."""

import asyncio

import pytest

from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.workspace import BOT, said

ME, DM = f"<@{BOT}>", "D0ANN"
TRANSPORTS = pytest.mark.parametrize("transport", ["socket", "http"])


async def written(scene: Scene, thread: str, channel: str = "C0GENERAL") -> None:
    """Wait until something of the answer can be read."""
    async with asyncio.timeout(scene.patience_s):
        while not any("word" in said(answer) for answer in scene.slack.workspace.answers(channel, thread)):
            await asyncio.sleep(0.01)


def slowly(scene: Scene) -> None:
    scene.engine.pause, scene.engine.script = 0.05, lambda _: "word " * 400


def briefly(scene: Scene) -> None:
    """What is asked from now on; an answer that is being written stays as long as it is."""
    scene.engine.script = lambda asked: f"About {asked.turns[-1].text}."


@TRANSPORTS
@pytest.mark.parametrize("streaming", ["native", "edit"])
async def test_nothing_stays_of_the_answer_to_a_question_that_is_deleted(
    scene: Scene, streaming: str, transport: str
) -> None:
    slowly(scene)
    bot = scene.bot if transport == "socket" else scene.bot_over_http
    async with bot(streaming=streaming):
        asked = scene.slack.says(f"{ME} read the passport", (scene.slack.upload(png()),))
        await written(scene, asked)
        scene.slack.deletes_message("C0GENERAL", asked)
        assert not await scene.finished(asked, 0)
        assert not (await scene.store.load(f"slack:T0TEAM:C0GENERAL:{asked}")).pictures
        briefly(scene)
        assert await scene.answer(scene.ask("what is it?")) == "About what is it?."
    assert not await scene.store.unfinished("slack")


async def test_a_question_that_is_deleted_in_line_is_not_answered_and_the_others_are(scene: Scene) -> None:
    slowly(scene)
    async with scene.bot():
        first = scene.slack.says("one", (scene.slack.upload(png()),), channel=DM)
        second, third = (scene.slack.says(text, channel=DM) for text in ("two", "three"))
        await written(scene, first, DM)
        scene.slack.deletes_message(DM, second)
        await scene.slack.settled()
        briefly(scene)
        scene.slack.says("stop", channel=DM, thread=first)
        assert await scene.answer(third, DM) == "About three."
        assert not await scene.finished(second, 0, DM)
    assert [conversation.turns[-1].text for conversation in scene.engine.asked] == ["one", "three"]


@pytest.mark.parametrize("tell", [True, False])
async def test_what_is_deleted_while_the_bot_is_down_is_cleared_away_at_its_start(scene: Scene, tell: bool) -> None:
    slowly(scene)
    async with scene.bot(streaming="edit"):
        asked = scene.slack.says(f"{ME} read the passport", (scene.slack.upload(png()),))
        await written(scene, asked)
    scene.slack.says("I saw it", thread=asked, user="U0BOB")
    scene.slack.deletes_message("C0GENERAL", asked, tell)
    briefly(scene)
    async with scene.bot(streaming="edit"):
        assert not await scene.finished(asked, 0)
    assert len(scene.engine.asked) == 1


@TRANSPORTS
async def test_a_question_that_is_edited_before_its_answer_begins_counts_as_it_stands(
    scene: Scene, transport: str
) -> None:
    slowly(scene)
    bot = scene.bot if transport == "socket" else scene.bot_over_http
    async with bot():
        first = scene.slack.says("one", (scene.slack.upload(png()),), channel=DM)
        second = scene.slack.says("tow", channel=DM)
        await written(scene, first, DM)
        scene.slack.edits(DM, second, "two")
        await scene.slack.settled()
        briefly(scene)
        scene.slack.says("stop", channel=DM, thread=first)
        assert await scene.answer(second, DM) == "About two."
    assert [conversation.turns[-1].text for conversation in scene.engine.asked] == ["one", "two"]


async def test_a_question_that_is_edited_while_the_bot_is_down_counts_as_it_stands(scene: Scene) -> None:
    slowly(scene)
    async with scene.bot():
        first = scene.slack.says("one", (scene.slack.upload(png()),), channel=DM)
        second = scene.slack.says("tow", channel=DM)
        await written(scene, first, DM)
    scene.slack.edits(DM, second, "two", tell=False)
    briefly(scene)
    async with scene.bot():
        assert await scene.answer(first, DM) == "About one."
        assert await scene.answer(second, DM) == "About two."


@TRANSPORTS
async def test_a_question_that_is_edited_while_its_answer_has_not_begun_is_asked_anew(
    scene: Scene, transport: str
) -> None:
    scene.engine.pause, scene.engine.script = 60, lambda asked: f"About {asked.turns[-1].text}."
    bot = scene.bot if transport == "socket" else scene.bot_over_http
    async with bot():
        asked = scene.slack.says("tow", (scene.slack.upload(png()),), channel=DM)
        async with asyncio.timeout(scene.patience_s):
            while not scene.engine.running:
                await asyncio.sleep(0.01)
        scene.slack.edits(DM, asked, "tow")  # Slack shows what an address in it leads to
        await scene.slack.settled()
        scene.engine.pause = 0.0
        scene.slack.edits(DM, asked, "two")
        assert await scene.answer(asked, DM) == "About two."
    assert [conversation.turns[-1].text for conversation in scene.engine.asked] == ["tow", "two"]
    assert not await scene.store.unfinished("slack")
