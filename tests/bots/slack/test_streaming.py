"""An answer grows where Slack can stream, is edited where it cannot, and is the same both ways."""

import asyncio
import os

import pytest

from bots.slack.text import MESSAGE_CHARACTERS
from tests.bots.slack.conftest import LONG, Scene, says
from tests.bots.slack.workspace import buttons, said


async def test_an_answer_is_streamed_where_slack_can(scene: Scene) -> None:
    scene.engine.gate = asyncio.Event()
    calls = scene.slack.workspace.calls
    async with scene.bot():
        asked = scene.ask()
        while not calls["chat.appendStream"]:
            await asyncio.sleep(0.01)
        scene.engine.gate.set()
        assert await scene.answer(asked) == "Answer to 'what is it?' about [1] after 0 turns."
    assert calls["chat.startStream"] == calls["chat.stopStream"] == 1
    assert not calls["chat.postMessage"] + calls["chat.update"]
    assert not scene.slack.workspace.refusals


@pytest.mark.parametrize("text", ["short", LONG, "```python\n" + "print('hello')\n" * 500 + "```\nthat was it"])
async def test_streamed_and_edited_answers_say_the_same(scene: Scene, text: str) -> None:
    scene.engine.script = says(text)
    whole = []
    for streaming in ("native", "edit"):
        async with scene.bot(streaming=streaming):
            asked = scene.ask()
            answers = await scene.finished(asked)
            whole.append([said(answer) for answer in answers])
            assert all(len(part) <= MESSAGE_CHARACTERS for part in whole[-1])
            assert [bool(buttons(answer)) for answer in answers] == [False] * (len(answers) - 1) + [True]
    assert whole[0] == whole[1]
    assert "".join("".join(whole[0]).split()).count("A-sentence-that-goes-on-for-a-while.") == text.count("A-sentence")
    assert not scene.slack.workspace.refusals


async def test_the_status_line_says_what_happens_and_goes_away(scene: Scene) -> None:
    async with scene.bot():
        asked = scene.ask()
        await scene.finished(asked)
    texts = [text for thread, text in scene.slack.workspace.statuses if thread == asked]
    assert texts[0] == "is looking …"
    assert not scene.slack.workspace.line
    assert scene.slack.workspace.sessions["C0GENERAL", asked] == "active"


async def test_where_there_is_no_status_line_a_message_says_it(scene: Scene) -> None:
    scene.slack.workspace.status_line = False
    scene.engine.script, scene.engine.gate = says("Red."), asyncio.Event()  # one word, before which it waits
    async with scene.bot():
        asked = scene.ask()
        _, message = await scene.button(asked, "stop")
        assert said(message).startswith(("You are number 1 in line", "Looking at picture 1 of 1"))
        scene.engine.gate.set()
        assert await scene.answer(asked) == "Red."
    assert not scene.slack.workspace.calls["chat.startStream"]
    assert scene.slack.workspace.calls["assistant.threads.setStatus"] == 1


@pytest.mark.parametrize("lacks", ["streams", "agent"])
async def test_an_app_that_cannot_stream_or_be_stopped_by_slack_posts_and_edits(scene: Scene, lacks: str) -> None:
    setattr(scene.slack.workspace, lacks, False)
    async with scene.bot():
        for _ in range(2):
            asked = scene.ask()
            assert await scene.answer(asked) == "Answer to 'what is it?' about [1] after 0 turns."
    calls = scene.slack.workspace.calls
    assert calls["chat.postMessage"] == 2
    assert calls["chat.startStream"] == (1 if lacks == "streams" else 0)
    assert calls["agents.sessions.setStatus"] == (1 if lacks == "agent" else 4)


@pytest.mark.timeout(900)
async def test_a_stream_that_stalls_ends_in_a_complete_answer(scene: Scene) -> None:
    """A blink of a minute; STALL=60 is the real one."""
    scene.slack.workspace.stream_s = seconds = float(os.environ.get("STALL", "0.15"))
    scene.engine.gate, scene.patience_s = asyncio.Event(), 120 + 15 * seconds
    scene.engine.script = says("It is a cat.")
    workspace = scene.slack.workspace
    async with scene.bot():
        asked = scene.ask()
        while not workspace.calls["chat.appendStream"]:
            await asyncio.sleep(0.01)
        await asyncio.sleep(seconds + 0.05)
        scene.engine.gate.set()
        assert await scene.answer(asked) == "It is a cat."
    assert [refused.partition(" ")[2] for refused in workspace.refusals] == ["message_not_in_streaming_state"]
    assert workspace.refusals.total() == 1
    assert len(scene.slack.workspace.answers("C0GENERAL", asked)) == 1
    assert not scene.slack.workspace.calls["chat.postMessage"]


async def test_no_answer_pings_anybody(scene: Scene) -> None:
    text = "Hey <!channel> and <!here|all>, <@U0BOB> and @channel and @everyone see <#C0GENERAL>; `<!channel>` a@b.com"
    scene.engine.script = says(text)
    for streaming in ("native", "edit"):
        async with scene.bot(streaming=streaming):
            asked = scene.ask("read it <!channel>")
            assert (await scene.answer(asked)).replace("\u200b", "") == text
    assert not scene.slack.workspace.pings()
