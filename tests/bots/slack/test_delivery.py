"""Streaming, editing, stopping, and that an answer stands there exactly once whatever goes wrong."""

import asyncio
import json
import os
from collections.abc import Callable
from itertools import pairwise

import pytest

from bots.slack.text import LIMIT
from core.conversation import Conversation
from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.server import once
from tests.bots.slack.workspace import BOT, buttons, said

ME = f"<@{BOT}>"
LONG = "\n\n".join(f"**Part {n}.** " + "A-sentence-that-goes-on-for-a-while. " * 12 for n in range(12))


def says(text: str) -> Callable[[Conversation], str]:
    return lambda _: text


async def ask(scene: Scene, text: str = "what is it?") -> str:
    return scene.slack.says(f"{ME} {text}", (scene.slack.upload(png()),))


async def test_an_answer_is_streamed_where_slack_can(scene: Scene) -> None:
    scene.engine.pause = 0.03
    async with scene.bot():
        asked = await ask(scene)
        assert await scene.answer(asked) == "Answer to 'what is it?' about [1] after 0 turns."
    calls = scene.slack.workspace.calls
    assert calls["chat.appendStream"] >= 2
    assert calls["chat.startStream"] == calls["chat.stopStream"] == 1
    assert not calls["chat.postMessage"] + calls["chat.update"]
    assert not scene.slack.workspace.refusals


@pytest.mark.parametrize("text", ["short", LONG, "```python\n" + "print('hello')\n" * 500 + "```\nthat was it"])
async def test_streamed_and_edited_answers_say_the_same(scene: Scene, text: str) -> None:
    scene.engine.script = says(text)
    whole = []
    for streaming in ("native", "edit"):
        async with scene.bot(streaming=streaming):
            asked = await ask(scene)
            answers = await scene.finished(asked)
            whole.append([said(answer) for answer in answers])
            assert all(len(part) <= LIMIT for part in whole[-1])
            assert [bool(buttons(answer)) for answer in answers] == [False] * (len(answers) - 1) + [True]
    assert whole[0] == whole[1]
    assert "".join("".join(whole[0]).split()).count("A-sentence-that-goes-on-for-a-while.") == text.count("A-sentence")
    assert not scene.slack.workspace.refusals


async def test_the_status_line_says_what_happens_and_goes_away(scene: Scene) -> None:
    async with scene.bot():
        asked = await ask(scene)
        await scene.finished(asked)
    texts = [text for thread, text in scene.slack.workspace.statuses if thread == asked]
    assert texts[0] == "is looking …"
    assert not scene.slack.workspace.line
    assert scene.slack.workspace.sessions["C0GENERAL", asked] == "active"


async def test_where_there_is_no_status_line_a_message_says_it(scene: Scene) -> None:
    scene.slack.workspace.status_line = False
    scene.engine.pause = 0.05
    async with scene.bot():
        asked = await ask(scene)
        _, message = await scene.button(asked, "stop")
        assert said(message) != ""
        assert (await scene.answer(asked)).startswith("Answer to")
    assert not scene.slack.workspace.calls["chat.startStream"]
    assert scene.slack.workspace.calls["assistant.threads.setStatus"] == 1


@pytest.mark.parametrize("lacks", ["streams", "agent"])
async def test_an_app_that_cannot_stream_or_be_stopped_by_slack_posts_and_edits(scene: Scene, lacks: str) -> None:
    setattr(scene.slack.workspace, lacks, False)
    async with scene.bot():
        for _ in range(2):
            asked = await ask(scene)
            assert await scene.answer(asked) == "Answer to 'what is it?' about [1] after 0 turns."
    calls = scene.slack.workspace.calls
    assert calls["chat.postMessage"] == 2
    assert calls["chat.startStream"] == (1 if lacks == "streams" else 0)
    assert calls["agents.sessions.setStatus"] == (1 if lacks == "agent" else 4)


@pytest.mark.timeout(900)
async def test_a_stream_that_stalls_ends_in_a_complete_answer(scene: Scene) -> None:
    """A blink of a minute; STALL=60 is the real one."""
    scene.slack.workspace.stream_s = seconds = float(os.environ.get("STALL", "0.15"))
    scene.engine.pause, scene.patience_s = seconds + 0.05, 30 + 15 * seconds
    scene.engine.script = says("It is a cat.")
    async with scene.bot():
        asked = await ask(scene)
        assert await scene.answer(asked) == "It is a cat."
    assert scene.slack.workspace.refusals["chat.appendStream message_not_in_streaming_state"] == 1
    assert len(scene.slack.workspace.answers("C0GENERAL", asked)) == 1
    assert not scene.slack.workspace.calls["chat.postMessage"]


async def test_no_answer_pings_anybody(scene: Scene) -> None:
    text = "Hey <!channel> and <!here|all>, <@U0BOB> and @channel and @everyone see <#C0GENERAL>; `<!channel>` a@b.com"
    scene.engine.script = says(text)
    for streaming in ("native", "edit"):
        async with scene.bot(streaming=streaming):
            asked = await ask(scene, "read it <!channel>")
            assert (await scene.answer(asked)).replace("\u200b", "") == text
    assert not scene.slack.workspace.pings()


# Stop and again


async def test_slacks_stop_button_ends_the_answer(scene: Scene) -> None:
    scene.engine.pause = 0.05
    scene.engine.script = says("word " * 200)
    async with scene.bot():
        asked = await ask(scene)
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
        asked = await ask(scene)
        scene.slack.presses(*await scene.button(asked, "stop"))
        answer = await scene.answer(asked)
    assert answer.endswith("(stopped)")
    assert scene.engine.cancelled == 1


async def test_the_word_stop_ends_the_answer(scene: Scene) -> None:
    scene.engine.pause = 0.05
    scene.engine.script = says("word " * 200)
    async with scene.bot():
        asked = await ask(scene)
        while not scene.engine.running:
            await asyncio.sleep(0.01)
        scene.slack.says(f"{ME} stop", thread=asked)
        answer = await scene.answer(asked)
        assert answer.endswith("(stopped)")
        assert len(scene.slack.workspace.answers("C0GENERAL", asked)) == 1


async def test_a_stranger_cannot_stop_an_answer(scene: Scene) -> None:
    scene.engine.pause = 0.02
    async with scene.bot(streaming="edit", allow=["U0ANN"]):
        asked = await ask(scene)
        scene.slack.presses(*await scene.button(asked, "stop"), user="U0EVE")
        assert await scene.answer(asked) == "Answer to 'what is it?' about [1] after 0 turns."


@pytest.mark.parametrize("streaming", ["native", "edit"])
async def test_try_again_writes_a_new_answer_over_the_old_one(scene: Scene, streaming: str) -> None:
    answers = iter([LONG, "second", "third"])
    scene.engine.script = lambda _: next(answers)
    async with scene.bot(streaming=streaming):
        asked = await ask(scene)
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


async def test_an_answer_that_failed_can_be_tried_again(scene: Scene) -> None:
    answers = iter([RuntimeError("a bug"), "better"])
    scene.engine.script = lambda _: next(answers)
    async with scene.bot():
        asked = await ask(scene)
        assert await scene.answer(asked) == "Something went wrong on my side. Please try again."
        scene.slack.presses(*await scene.button(asked, "retry"))
        assert await scene.answer(asked) == "better"


# Exactly once


@pytest.mark.parametrize("copies", [2, 3])
async def test_what_is_delivered_several_times_is_answered_once(scene: Scene, copies: int) -> None:
    scene.slack.copies = copies
    async with scene.bot():
        asked = await ask(scene)
        await scene.finished(asked)
    async with scene.bot():  # also after a restart
        scene.slack.tell({"type": "app_mention", "channel": "C0GENERAL", "user": "U0ANN", "text": ME, "ts": asked})
        await scene.slack.settled()
        assert len(await scene.finished(asked)) == 1
    assert len(scene.engine.asked) == 1


KINDS = ("busy", "before", "after", "cut")


@pytest.mark.parametrize(
    "method",
    [
        "users.info",
        "conversations.replies",
        "file",
        "assistant.threads.setStatus",
        "agents.sessions.setStatus",
        "chat.startStream",
        "chat.appendStream",
        "chat.stopStream",
    ],
)
async def test_a_call_that_fails_once_costs_nothing(scene: Scene, method: str) -> None:
    scene.engine.pause = 0.01
    async with scene.bot():
        for number, kind in enumerate(KINDS):
            scene.slack.fault = once(method, kind)
            asked = scene.slack.says("look", (scene.slack.upload(png()),), user="U0BOB")
            scene.slack.says(f"{ME} what is it?", thread=asked, user=f"U{number}")
            answers = await scene.finished(asked)
            assert [said(answer) for answer in answers] == ["Answer to 'what is it?' about [1] after 0 turns."]
    assert scene.slack.faults.total() == len(KINDS)


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update", "chat.delete"])
async def test_a_failing_post_or_edit_costs_nothing(scene: Scene, method: str) -> None:
    scene.engine.script = lambda conversation: LONG if scene.engine.samplings[-1].temperature == 0 else "short"
    async with scene.bot(streaming="edit"):
        for kind in KINDS:
            if method != "chat.delete":
                scene.slack.fault = once(method, kind)
            asked = await ask(scene)
            assert " ".join(said(answer) for answer in await scene.finished(asked)).split() == LONG.split()
            if method == "chat.delete":
                scene.slack.fault = once(method, kind)
                scene.slack.presses(*await scene.button(asked, "retry"))
                assert [said(answer) for answer in await scene.finished(asked)] == ["short"]
    assert scene.slack.faults.total() == len(KINDS)


@pytest.mark.parametrize("streaming", ["native", "edit"])
@pytest.mark.parametrize("written_down", [True, False])
async def test_what_a_dead_process_left_half_written_is_finished(
    scene: Scene, streaming: str, written_down: bool
) -> None:
    """It had begun a message, and died before or after the message's id was written down."""
    workspace = scene.slack.workspace
    file = scene.slack.upload(png())
    asked = scene.slack.says(f"{ME} what is it?", (file,), deliver=False)
    key = f"slack:T0TEAM:C0GENERAL:{asked}"
    call = {"channel": "C0GENERAL", "thread_ts": asked}
    metadata = {"event_type": "picture_answer", "event_payload": {"key": key}}
    if streaming == "native":
        call |= {"recipient_user_id": "U0ANN", "recipient_team_id": "T0TEAM"}
        left = workspace.call("chat.startStream", workspace.token, call)["ts"]
        if written_down:  # only then does text follow
            workspace.call("chat.appendStream", workspace.token, {**call, "ts": left, "markdown_text": "Answ"})
    else:
        left = workspace.call("chat.postMessage", workspace.token, {**call, "text": "…", "metadata": metadata})["ts"]
    message = {"channel": "C0GENERAL", "ts": asked, "thread": asked, "user": "U0ANN", "team": "T0TEAM"}
    payload = json.dumps({"kind": "message", "message": {**message, "text": "what is it?", "files": [file]}})
    written = await scene.store.put("slack", key, key, payload)
    assert written
    if written_down:
        await scene.store.record_sent(written.id, [left])
    async with scene.bot():
        answers = await scene.finished(asked)
    assert [(a["ts"], said(a)) for a in answers] == [(left, "Answer to 'what is it?' about [1] after 0 turns.")]


async def test_a_post_that_comes_through_late_is_taken_away(scene: Scene) -> None:
    async with scene.bot(streaming="edit"):
        scene.slack.fault = once("chat.postMessage", "before")
        asked = await ask(scene)
        scene.engine.pause = 0.05
        while not scene.slack.workspace.calls["chat.postMessage"]:
            await asyncio.sleep(0.01)
        workspace = scene.slack.workspace
        metadata = {"event_type": "picture_answer", "event_payload": {"key": f"slack:T0TEAM:C0GENERAL:{asked}"}}
        call = {"channel": "C0GENERAL", "thread_ts": asked, "text": "…", "metadata": metadata}
        workspace.call("chat.postMessage", workspace.token, call)
        answers = await scene.finished(asked)
    assert [said(answer) for answer in answers] == ["Answer to 'what is it?' about [1] after 0 turns."]


async def test_a_message_that_somebody_deleted_is_written_again(scene: Scene) -> None:
    scene.engine.pause = 0.05
    async with scene.bot(streaming="edit"):
        asked = await ask(scene)
        _, message = await scene.button(asked, "stop")
        scene.slack.workspace.channels["C0GENERAL"].remove(message)
        answers = await scene.finished(asked)
    assert [said(answer) for answer in answers] == ["Answer to 'what is it?' about [1] after 0 turns."]


async def test_a_thread_that_is_gone_ends_the_work(scene: Scene) -> None:
    scene.engine.pause = 0.02
    async with scene.bot(streaming="edit"):
        asked = await ask(scene)
        await scene.slack.settled()
        scene.slack.workspace.members.clear()
        await scene.finished(asked, 0)
        assert not await scene.store.unfinished("slack")


async def test_a_shutdown_keeps_the_question_for_the_next_start(scene: Scene) -> None:
    scene.engine.pause = 0.2
    async with scene.bot():
        asked = await ask(scene)
        while not scene.engine.running:
            await asyncio.sleep(0.01)
    assert len(await scene.store.unfinished("slack")) == 1
    scene.engine.pause = 0.0
    async with scene.bot():
        assert await scene.answer(asked) == "Answer to 'what is it?' about [1] after 0 turns."


async def test_new_messages_keep_slacks_pace_in_a_channel(scene: Scene) -> None:
    async with scene.bot(pace=0.3):
        threads = [await ask(scene) for _ in range(4)]
        for thread in threads:
            await scene.finished(thread)
    times = sorted(time for time, _ in scene.slack.workspace.posted)
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.2


# Deletions


@pytest.mark.parametrize("what", ["message", "file"])
async def test_deleting_in_slack_removes_the_picture_here(scene: Scene, what: str) -> None:
    async with scene.bot():
        file = scene.slack.upload(png())
        asked = scene.slack.says(f"{ME} what is it?", (file,))
        await scene.finished(asked)
        [picture] = (await scene.store.load(f"slack:T0TEAM:C0GENERAL:{asked}")).pictures
        if what == "message":
            scene.slack.deletes_message("C0GENERAL", asked)
        else:
            scene.slack.deletes_file(file["id"])
        await scene.finished(asked)
        conversation = await scene.store.load(f"slack:T0TEAM:C0GENERAL:{asked}")
        assert not conversation.pictures
        assert len(conversation.turns) == 1
        with pytest.raises(Exception, match="not here any more"):
            await scene.store.picture(picture.image.id)


async def test_a_file_that_is_deleted_while_the_answer_is_written_does_not_stay(scene: Scene) -> None:
    scene.engine.pause = 0.05
    async with scene.bot():
        file = scene.slack.upload(png())
        asked = scene.slack.says(f"{ME} what is it?", (file,))
        while not scene.engine.running:
            await asyncio.sleep(0.01)
        scene.slack.deletes_file(file["id"])
        await scene.finished(asked)
        assert not (await scene.store.load(f"slack:T0TEAM:C0GENERAL:{asked}")).pictures
