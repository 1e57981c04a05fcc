"""The reaction that a question has until it is answered."""

import asyncio
import logging
from pathlib import Path

import pytest

from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.server import FakeSlack, once
from tests.bots.slack.test_kill import SLOW, life
from tests.bots.slack.workspace import BOT, said


async def test_a_question_is_marked_until_it_is_answered_also_while_it_waits_for_another(scene: Scene) -> None:
    scene.engine.gate = asyncio.Event()
    workspace = scene.slack.workspace
    async with scene.bot():
        asked = scene.ask()
        later = scene.slack.says(f"<@{BOT}> And now?", thread=asked)
        while workspace.reactions.keys() != {asked, later}:
            await asyncio.sleep(0.01)
        scene.engine.gate.set()
        assert len(await scene.finished(asked, 2)) == 2
    assert workspace.reactions == {}
    assert set(workspace.reacted) == {asked, later}


async def test_a_command_that_answers_at_once_is_answered_in_one_write(scene: Scene) -> None:
    async with scene.bot():
        asked = scene.slack.says("help", channel="D0ANN")
        assert "settings" in said((await scene.finished(asked, channel="D0ANN"))[0])
    calls = scene.slack.workspace.calls
    assert (calls["chat.postMessage"], calls["chat.update"], calls["chat.startStream"]) == (1, 0, 0)
    assert scene.slack.workspace.reactions == {}


@pytest.mark.parametrize("kind", ["busy", "before", "after"])
async def test_an_answer_waits_for_no_reaction(scene: Scene, kind: str) -> None:
    scene.slack.fault = once("reactions.add", kind, seconds=30)
    async with scene.bot():
        assert await scene.answer(scene.ask())
    assert scene.slack.workspace.reactions == {}


async def test_without_the_scope_questions_are_answered_and_the_log_says_it_at_the_start(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scene.slack.workspace.scopes.remove("reactions:write")
    async with scene.bot():
        for _ in range(3):
            assert await scene.answer(scene.ask())
    assert scene.slack.workspace.calls["reactions.add"] == 0
    assert caplog.text.count("reactions:write") == 1


async def test_where_reactions_are_declined_the_log_says_it_once(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scene.slack.workspace.denies = lambda method, _: "no_permission" if method == "reactions.add" else None
    async with scene.bot():
        for _ in range(3):
            assert await scene.answer(scene.ask())
    assert scene.slack.workspace.calls["reactions.add"] == 1
    assert caplog.text.count("no reactions in chat") == 1


async def test_an_operator_can_switch_reactions_off(scene: Scene) -> None:
    async with scene.bot(reactions=False):
        assert await scene.answer(scene.ask())
    assert scene.slack.workspace.calls["reactions.add"] == 0


async def test_the_mark_of_what_turns_out_to_be_for_nobody_is_taken_back(scene: Scene) -> None:
    scene.engine.gate = asyncio.Event()
    async with scene.bot():
        asked = scene.ask()
        while not scene.engine.running:
            await asyncio.sleep(0.01)
        by_app = scene.slack.says(f"<@{BOT}> and why?", thread=asked, user="U9", bot_id="B9")
        while by_app not in scene.slack.workspace.reactions:
            await asyncio.sleep(0.01)
        scene.engine.gate.set()
        assert len(await scene.finished(asked)) == 1
        async with asyncio.timeout(60):
            while by_app in scene.slack.workspace.reactions:
                await asyncio.sleep(0.01)
    assert len(scene.engine.asked) == 1


async def test_the_mark_of_a_deleted_question_is_given_up(scene: Scene) -> None:
    scene.engine.gate = asyncio.Event()
    async with scene.bot():
        asked = scene.ask()
        while asked not in scene.slack.workspace.reactions:
            await asyncio.sleep(0.01)
        scene.slack.deletes_message("C0GENERAL", asked)
        assert await scene.finished(asked, 0) == []


async def test_what_a_killed_process_left_is_taken_back_at_the_answer(tmp_path: Path) -> None:
    async with FakeSlack(ack_s=60.0) as slack:
        workspace = slack.workspace
        async with life(slack, tmp_path / "answers.db", SLOW, "socket"):
            asked = slack.says(f"<@{BOT}> what is it?", (slack.upload(png()),))
            while not (workspace.calls["chat.appendStream"] and workspace.reactions):
                await asyncio.sleep(0.01)
        assert workspace.reactions == {asked: "eyes"}
        async with life(slack, tmp_path / "answers.db", 0.0, "socket"):
            while workspace.reactions:
                await asyncio.sleep(0.05)
        assert [said(each) for each in workspace.answers("C0GENERAL", asked)] == [
            "Answer to 'what is it?' about [1] after 0 turns."
        ]
