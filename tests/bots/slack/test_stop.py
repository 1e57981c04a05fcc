"""Stopping an answer, and having it written again."""

import asyncio

import pytest
from aiohttp import web

from core.errors import Busy
from tests.bots.slack.conftest import LONG, Scene, says
from tests.bots.slack.workspace import BOT, Json, buttons, said

ME = f"<@{BOT}>"


async def test_slacks_stop_button_ends_the_answer(scene: Scene) -> None:
    scene.engine.pause = 0.05
    scene.engine.script = says("word " * 200)
    async with scene.bot():
        asked = scene.ask()
        while not scene.slack.workspace.calls["chat.appendStream"]:
            await asyncio.sleep(0.01)
        scene.slack.stops_session("C0GENERAL", asked)
        answer = await scene.answer(asked)
    assert answer.endswith("(stopped)")
    assert answer.count("word") < 200
    assert scene.engine.cancelled == 1
    assert scene.slack.workspace.sessions["C0GENERAL", asked] == "active"


async def test_our_stop_button_ends_the_answer(scene: Scene) -> None:
    scene.engine.pause = 0.05
    scene.engine.script = says("word " * 200)
    async with scene.bot(streaming="edit"):
        asked = scene.ask()
        scene.slack.presses(*await scene.button(asked, "stop"))
        answer = await scene.answer(asked)
    assert answer.endswith("(stopped)")
    assert scene.engine.cancelled == 1


@pytest.mark.parametrize("value", [None, "171.1", "slack:T0TEAM:C0GENERAL:171.1", "its own"])
async def test_a_stop_button_that_stayed_behind_does_not_stop_another_answer(scene: Scene, value: str | None) -> None:
    scene.engine.pause = 0.05
    scene.engine.script = says("word " * 200)
    async with scene.bot(streaming="edit"):
        asked = scene.ask()
        button, message = await scene.button(asked, "stop")
        scene.slack.presses(button, message)
        await scene.finished(asked)
        scene.engine.script = says("word " * 20)
        scene.slack.says(f"{ME} and now?", thread=asked)
        while not scene.engine.running:
            await asyncio.sleep(0.01)
        stale = {"action_id": "stop", "value": value} if value != "its own" else button
        scene.slack.presses(stale, message)
        answers = [said(answer) for answer in await scene.finished(asked, 2)]
    assert answers[0].endswith("(stopped)")
    assert answers[1] == ("word " * 20).strip()


async def test_the_word_stop_ends_the_answer(scene: Scene) -> None:
    scene.engine.pause = 0.05
    scene.engine.script = says("word " * 200)
    async with scene.bot():
        asked = scene.ask()
        while not scene.engine.running:
            await asyncio.sleep(0.01)
        scene.slack.says(f"{ME} stop", thread=asked)
        answer = await scene.answer(asked)
        assert answer.endswith("(stopped)")
        assert len(scene.slack.workspace.answers("C0GENERAL", asked)) == 1


async def test_a_message_that_is_edited_into_the_word_stop_ends_the_answer(scene: Scene) -> None:
    async with scene.bot(streaming="edit"):
        asked = scene.ask()
        await scene.answer(asked)
        helped = scene.slack.says(f"{ME} help", thread=asked)
        await scene.finished(asked, 2)
        scene.engine.gate = asyncio.Event()
        scene.slack.says(f"{ME} and now?", thread=asked)
        while not scene.engine.running:
            await asyncio.sleep(0.01)
        scene.slack.edits("C0GENERAL", helped, f"{ME} stop")
        answers = [said(message) for message in await scene.finished(asked, 3)]
    assert answers[1] == "Nothing is being written just now."
    assert answers[2].endswith("(stopped)")


@pytest.mark.parametrize(("streaming", "last"), [("native", "chat.stopStream"), ("edit", "chat.update")])
async def test_the_word_stop_after_the_last_edit_is_told_that_nothing_is_written(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, streaming: str, last: str
) -> None:
    """Slack's reply to that edit, which people see at once, is still on its way."""
    answer_call, seen, told = scene.slack._answer, asyncio.Event(), asyncio.Event()

    async def held(method: str, request: web.Request) -> Json:
        answer = await answer_call(method, request)
        stoppable = [button for each in scene.slack.workspace.answers(*thread) for button in buttons(each)]
        if method == last and "stop" not in [button["action_id"] for button in stoppable]:
            seen.set()
            await told.wait()
        return answer

    async with scene.bot(streaming=streaming):
        monkeypatch.setattr(scene.slack, "_answer", held)
        asked = scene.ask()
        thread = ("C0GENERAL", asked)
        await seen.wait()
        scene.slack.says(f"{ME} stop", thread=asked)
        await scene.slack.settled()
        told.set()
        answers = [said(message) for message in await scene.finished(asked, 2)]
    assert answers == ["Answer to 'what is it?' about [1] after 0 turns.", "Nothing is being written just now."]


async def test_a_stranger_cannot_stop_an_answer(scene: Scene) -> None:
    scene.engine.gate = asyncio.Event()
    async with scene.bot(streaming="edit", allow=["U0ANN"]):
        asked = scene.ask()
        scene.slack.presses(*await scene.button(asked, "stop"), user="U0EVE")
        await scene.slack.settled()
        scene.engine.gate.set()
        assert await scene.answer(asked) == "Answer to 'what is it?' about [1] after 0 turns."


@pytest.mark.parametrize("streaming", ["native", "edit"])
async def test_try_again_writes_a_new_answer_over_the_old_one(scene: Scene, streaming: str) -> None:
    answers = iter([LONG, "second", "third"])
    scene.engine.script = lambda _: next(answers)
    async with scene.bot(streaming=streaming):
        asked = scene.ask()
        assert len(await scene.finished(asked)) > 1
        for expected in ("second", "third"):
            button, message = await scene.button(asked, "retry")
            for _ in range(2):  # impatient fingers
                scene.slack.presses(button, message)
            messages = await scene.finished(asked)
            assert [said(message) for message in messages] == [expected]
    conversation = await scene.store.load(f"slack:T0TEAM:C0GENERAL:{asked}")
    assert [turn.answer.text for turn in conversation.turns if turn.answer] == ["third"]
    assert scene.engine.samplings[1].temperature > 0


@pytest.mark.parametrize("streaming", ["native", "edit"])
async def test_an_answer_stays_where_it_cannot_be_written_again(scene: Scene, streaming: str) -> None:
    answers = iter([LONG, Busy("Too many questions are waiting already. Please ask again in a minute."), "third"])
    scene.engine.script = lambda _: next(answers)
    async with scene.bot(streaming=streaming):
        asked = scene.ask()
        first = [said(message) for message in await scene.finished(asked)]
        scene.slack.presses(*await scene.button(asked, "retry"))
        messages = await scene.finished(asked, len(first) + 1)
        assert [said(message) for message in messages[:-1]] == first
        assert said(messages[-1]).startswith("Too many questions")
        [again] = [button for button in buttons(messages[-1]) if button["action_id"] == "retry"]
        scene.slack.presses(again, messages[-1])  # the answer replaces the refusal
        await scene.slack.settled()
        assert said((await scene.finished(asked, len(first) + 1))[-1]) == "third"


async def test_an_answer_that_failed_can_be_tried_again(scene: Scene) -> None:
    answers = iter([RuntimeError("a bug"), "better"])
    scene.engine.script = lambda _: next(answers)
    async with scene.bot():
        asked = scene.ask()
        assert await scene.answer(asked) == "Something went wrong on my side. Please try again."
        scene.slack.presses(*await scene.button(asked, "retry"))
        assert await scene.answer(asked) == "better"
