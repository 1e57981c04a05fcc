"""An answer stands there exactly once, whatever goes wrong."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from core.errors import StoreDown
from storage.store import Store, StoreConfig
from tests.bots.slack.conftest import LONG, Scene, png
from tests.bots.slack.server import once
from tests.bots.slack.workspace import BOT, said

ME = f"<@{BOT}>"


class Hiccup(Store):
    """Goes down once, at the method that `fails`."""

    fails = ""

    def _fail(self, method: str) -> None:
        if method == self.fails:
            self.fails = ""
            raise StoreDown("My memory does not work at the moment.")

    async def add_pictures(self, *args: Any, **more: Any) -> list[int]:
        self._fail("add_pictures")
        return await super().add_pictures(*args, **more)

    async def remember_file(self, file: str, conversation_id: str, image_ids: Sequence[str]) -> None:
        self._fail("remember_file")
        await super().remember_file(file, conversation_id, image_ids)

    async def record_posted(self, message_id: int, posted_ids: Sequence[str]) -> None:
        self._fail("record_posted")
        await super().record_posted(message_id, posted_ids)


@pytest.mark.parametrize("copies", [2, 3])
async def test_what_is_delivered_several_times_is_answered_once(scene: Scene, copies: int) -> None:
    scene.slack.copies = copies
    async with scene.bot():
        asked = scene.ask()
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
    async with scene.bot():
        for number, kind in enumerate(KINDS):
            gate = scene.engine.gate = asyncio.Event()
            scene.slack.fault = once(method, kind)
            asked = scene.slack.says("look", (scene.slack.upload(png()),), user="U0BOB")
            scene.slack.says(f"{ME} what is it?", thread=asked, user=f"U{number}")
            while method != "chat.stopStream" and scene.slack.faults.total() <= number:  # that ends an answer
                await asyncio.sleep(0.01)
            gate.set()
            answers = await scene.finished(asked)
            assert [said(answer) for answer in answers] == ["Answer to 'what is it?' about [1] after 0 turns."]
    assert scene.slack.faults.total() == len(KINDS)


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update", "chat.delete"])
async def test_a_failing_post_or_edit_costs_nothing(scene: Scene, method: str) -> None:
    scene.engine.script = lambda conversation: LONG if scene.engine.samplings[-1].temperature is None else "short"
    async with scene.bot(streaming="edit"):
        for kind in KINDS:
            if method != "chat.delete":
                scene.slack.fault = once(method, kind)
            asked = scene.ask()
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
        await scene.store.record_posted(written.id, [left])
    async with scene.bot():
        answers = await scene.finished(asked)
    assert [(a["ts"], said(a)) for a in answers] == [(left, "Answer to 'what is it?' about [1] after 0 turns.")]


async def test_a_post_that_comes_through_late_is_taken_away(scene: Scene) -> None:
    async with scene.bot(streaming="edit"):
        scene.slack.fault = once("chat.postMessage", "before")
        scene.engine.gate = asyncio.Event()
        asked = scene.ask()
        while not scene.slack.workspace.calls["chat.postMessage"]:
            await asyncio.sleep(0.01)
        workspace = scene.slack.workspace
        metadata = {"event_type": "picture_answer", "event_payload": {"key": f"slack:T0TEAM:C0GENERAL:{asked}"}}
        call = {"channel": "C0GENERAL", "thread_ts": asked, "text": "…", "metadata": metadata}
        workspace.call("chat.postMessage", workspace.token, call)
        scene.engine.gate.set()
        answers = await scene.finished(asked)
    assert [said(answer) for answer in answers] == ["Answer to 'what is it?' about [1] after 0 turns."]


async def test_a_message_that_somebody_deleted_is_written_again(scene: Scene) -> None:
    scene.engine.gate = asyncio.Event()
    async with scene.bot(streaming="edit"):
        asked = scene.ask()
        _, message = await scene.button(asked, "stop")
        scene.slack.workspace.channels["C0GENERAL"].remove(message)
        scene.engine.gate.set()
        answers = await scene.finished(asked)
    assert [said(answer) for answer in answers] == ["Answer to 'what is it?' about [1] after 0 turns."]


async def test_a_thread_that_is_gone_ends_the_work(scene: Scene) -> None:
    scene.engine.pause = 0.02
    async with scene.bot(streaming="edit"):
        asked = scene.ask()
        await scene.slack.settled()
        scene.slack.workspace.members.clear()
        await scene.finished(asked, 0)
        assert not await scene.store.unfinished("slack")


async def test_a_shutdown_keeps_the_question_for_the_next_start(scene: Scene) -> None:
    scene.engine.pause = 0.2
    async with scene.bot():
        asked = scene.ask()
        while not scene.engine.running:
            await asyncio.sleep(0.01)
    assert len(await scene.store.unfinished("slack")) == 1
    scene.engine.pause = 0.0
    async with scene.bot():
        assert await scene.answer(asked) == "Answer to 'what is it?' about [1] after 0 turns."


async def test_new_messages_keep_slacks_pace_in_a_channel(scene: Scene) -> None:
    pace_s = 0.5
    async with scene.bot(pace_seconds=pace_s):
        threads = [scene.ask() for _ in range(4)]
        for thread in threads:
            await scene.finished(thread)
    times = sorted(time for time, _ in scene.slack.workspace.posted)
    assert times[-1] - times[0] > 1.5 * pace_s  # three pauses, where one message may be late by half of that


@pytest.mark.parametrize("method", ["add_pictures", "remember_file", "record_posted"])
async def test_a_memory_that_fails_once_loses_no_picture_and_leaves_no_second_message(
    scene: Scene, tmp_path: Path, method: str
) -> None:
    scene.store = store = await Hiccup.open(StoreConfig(url=f"sqlite+aiosqlite:///{tmp_path}/hiccup.db"))
    store.fails = method
    async with scene.bot(streaming="edit"):
        asked = scene.slack.says("look", (scene.slack.upload(png()),))
        scene.slack.says(f"{ME} what is it?", thread=asked, user="U0BOB")
        answers = await scene.finished(asked)
        assert [said(answer) for answer in answers] == ["Answer to 'what is it?' about [1] after 0 turns."]
    assert not store.fails
    await store.close()


async def test_what_could_neither_be_stored_nor_taken_back_is_found_at_the_next_attempt(
    scene: Scene, tmp_path: Path
) -> None:
    scene.store = store = await Hiccup.open(StoreConfig(url=f"sqlite+aiosqlite:///{tmp_path}/hiccup.db"))
    store.fails = "record_posted"
    scene.slack.fault = once("chat.delete", "before")
    async with scene.bot(streaming="edit"):
        answers = await scene.finished(scene.ask())
        assert [said(answer) for answer in answers] == ["Answer to 'what is it?' about [1] after 0 turns."]
    assert scene.slack.faults["before"] == 1
    await store.close()


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
