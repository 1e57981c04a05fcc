"""An edited question is answered again, in the place of its answer, and never twice."""

import asyncio
from functools import partial
from typing import Any

import pytest

from bots.conversing.dispatcher import Dispatcher
from core import inbox
from core.revision import EDIT_SECONDS
from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.server import Fault
from tests.bots.slack.workspace import BOT, Json, said

DM = "D0ANN"
ME = f"<@{BOT}>"


def about(words: str, numbers: str = "[1]", turns: int = 0) -> str:
    return f"Answer to '{words}' about {numbers} after {turns} turns."


async def says(scene: Scene, thread: str, *expected: str, channel: str = "C0GENERAL") -> None:
    """Wait until these are all of the bot's words in a thread, and nothing is left to do."""
    words: list[str] | None = None
    try:
        async with asyncio.timeout(scene.patience_s):
            while words != list(expected):
                words = [said(each) for each in await scene.finished(thread, len(expected), channel)]
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(words) from None


async def test_an_edit_after_the_answer_replaces_it(scene: Scene) -> None:
    async with scene.bot():
        asked = scene.ask("One")
        await says(scene, asked, about("One"))
        scene.slack.edits("C0GENERAL", asked, f"{ME} Two")
        await says(scene, asked, about("Two"))
        scene.slack.edits("C0GENERAL", asked, f"{ME} Three")
        await says(scene, asked, about("Three"))
        scene.slack.says(f"{ME} And now?", thread=asked)
        await says(scene, asked, about("Three"), about("And now?", "[]", 1))
    assert [turn.text for turn in scene.engine.asked[-1].turns] == ["Three", "And now?"]


async def test_an_edit_while_it_is_answered_begins_again_also_over_http(scene: Scene) -> None:
    for bot in (scene.bot, scene.bot_over_http):
        scene.engine.gate = asyncio.Event()
        async with bot():
            asked = scene.slack.says("One", (scene.slack.upload(png()),), channel=DM)
            while not any("Answer" in said(each) for each in scene.slack.workspace.answers(DM, asked)):
                await asyncio.sleep(0.01)
            scene.slack.edits(DM, asked, "Two")
            scene.engine.gate = None
            scene.slack.edits(DM, asked, "Three")  # quickly once more
            await says(scene, asked, about("Three"), channel=DM)
        scene.slack.http_url = None


async def test_words_added_to_a_picture_are_answered_in_the_place_of_what_was_said_about_it(scene: Scene) -> None:
    async with scene.bot():
        shown = scene.slack.says("", (scene.slack.upload(png()),), channel=DM)
        assert "Got picture 1." in await scene.answer(shown, DM)
        scene.slack.edits(DM, shown, "What is it?")
        await says(scene, shown, about("What is it?"), channel=DM)


async def test_the_same_edit_again_one_that_changes_nothing_and_a_late_one_are_not_answered(scene: Scene) -> None:
    async with scene.bot():
        asked = scene.ask("One")
        await says(scene, asked, about("One"))
        scene.slack.edits("C0GENERAL", asked, f"{ME} One")
        scene.slack.copies = 3
        scene.slack.edits("C0GENERAL", asked, f"{ME} Two")
        await says(scene, asked, about("Two"))
        scene.slack.edits("C0GENERAL", asked, f"{ME} Three", after_s=EDIT_SECONDS + 1)
        await scene.slack.settled()
        await says(scene, asked, about("Two"))
    assert [conversation.turns[-1].text for conversation in scene.engine.asked] == ["One", "Two"]


async def test_an_older_edit_that_is_delivered_again_changes_nothing(scene: Scene) -> None:
    async with scene.bot():
        asked = scene.ask("One")
        await says(scene, asked, about("One"))
        scene.slack.held = []
        scene.slack.edits("C0GENERAL", asked, f"{ME} Two")
        held, scene.slack.held = scene.slack.held, None
        scene.slack.edits("C0GENERAL", asked, f"{ME} Three")
        await says(scene, asked, about("Three"))
        for kind, payload in held:
            scene.slack.sends(kind, payload)
        await scene.slack.settled()
        await says(scene, asked, about("Three"))
    assert len(scene.engine.asked) == 2


async def test_what_an_address_shows_and_a_bots_own_edits_are_no_edits(scene: Scene) -> None:
    async with scene.bot(streaming="edit"):
        asked = scene.ask("One")
        await says(scene, asked, about("One"))
        message = dict(scene.slack.workspace.find("C0GENERAL", asked), text=f"{ME} One <https://example.org|shown>")
        event = {"type": "message", "subtype": "message_changed", "channel": "C0GENERAL", "message": message}
        scene.slack.tell({**event, "ts": scene.slack.workspace.ts(), "event_ts": scene.slack.workspace.ts()})
        await scene.slack.settled()
        await says(scene, asked, about("One"))
    assert len(scene.engine.asked) == 1


async def test_a_mention_added_in_a_channel_is_answered(scene: Scene) -> None:
    async with scene.bot():
        shown = scene.slack.says("Look", (scene.slack.upload(png()),))
        await scene.slack.settled()
        scene.slack.edits("C0GENERAL", shown, f"{ME} What is it?")
        await says(scene, shown, about("What is it?"))


async def test_an_edit_finds_what_was_posted_while_the_reply_was_lost(scene: Scene) -> None:
    lost = ["chat.postMessage"]
    scene.slack.fault = lambda method: Fault("after") if method in lost else None

    def edit(method: str, args: Json) -> None:
        if method in lost:
            lost.clear()
            scene.slack.edits(DM, str(args["thread_ts"]), "What is it?")

    scene.slack.heard = edit
    async with scene.bot():
        shown = scene.slack.says("", (scene.slack.upload(png()),), channel=DM)
        await says(scene, shown, about("What is it?"), channel=DM)


async def test_an_edit_may_make_a_command_of_a_question(scene: Scene) -> None:
    async with scene.bot():
        asked = scene.ask("One")
        await says(scene, asked, about("One"))
        scene.slack.edits("C0GENERAL", asked, f"{ME} help")
        async with asyncio.timeout(scene.patience_s):
            while "One" in await scene.answer(asked):
                await asyncio.sleep(0.01)
        scene.slack.edits("C0GENERAL", asked, f"{ME} Two")
        await says(scene, asked, about("Two"))


async def test_an_edit_counts_after_a_restart(scene: Scene) -> None:
    async with scene.bot():
        asked = scene.ask("One")
        await says(scene, asked, about("One"))
        scene.engine.pause = 60
        scene.slack.edits("C0GENERAL", asked, f"{ME} Two")
        while not scene.engine.running:
            await asyncio.sleep(0.01)
    scene.engine.pause = 0
    async with scene.bot():
        await says(scene, asked, about("Two"))


async def test_an_edit_that_a_restart_has_seen_already_is_not_answered_twice(scene: Scene) -> None:
    scene.engine.pause = 60
    async with scene.bot():
        asked = scene.ask("One")
        while not scene.engine.running:
            await asyncio.sleep(0.01)
    scene.engine.pause = 0
    scene.slack.held = []
    scene.slack.edits("C0GENERAL", asked, f"{ME} Two")
    held, scene.slack.held = scene.slack.held, None
    async with scene.bot():
        await says(scene, asked, about("Two"))
        for kind, payload in held:
            scene.slack.sends(kind, payload)
        await scene.slack.settled()
        await says(scene, asked, about("Two"))
    assert [conversation.turns[-1].text for conversation in scene.engine.asked] == ["One", "Two"]


async def test_a_question_that_is_edited_and_then_deleted_has_no_answer(scene: Scene) -> None:
    async with scene.bot():
        asked = scene.ask("One")
        await says(scene, asked, about("One"))
        scene.engine.pause = 60
        scene.slack.edits("C0GENERAL", asked, f"{ME} Two")
        while not scene.engine.running:
            await asyncio.sleep(0.01)
        scene.slack.deletes_message("C0GENERAL", asked)
        await says(scene, asked)


async def test_an_edit_of_what_is_kept_for_the_next_start_is_answered_then(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise ValueError

    with monkeypatch.context() as broken:
        broken.setattr(inbox, "Inbox", partial(inbox.Inbox, pauses_s=(0.0,)))
        broken.setattr(Dispatcher, "answer", fail)
        async with scene.bot():
            asked = scene.ask("One")
            async with asyncio.timeout(scene.patience_s):
                while "is kept for the next start" not in caplog.text:
                    await asyncio.sleep(0.01)
            scene.slack.edits("C0GENERAL", asked, f"{ME} Two")
            await scene.slack.settled()
    [kept] = await scene.store.unfinished("slack")
    assert "Two" in kept.payload
    async with scene.bot():
        await says(scene, asked, about("Two"))


async def test_an_edit_after_one_of_its_pictures_was_deleted_is_about_the_other_one(scene: Scene) -> None:
    async with scene.bot():
        gone, other = scene.slack.upload(png()), scene.slack.upload(png("blue"))
        asked = scene.slack.says(f"{ME} One", (gone, other))
        await says(scene, asked, about("One", "[1, 2]"))
        scene.slack.deletes_file(gone["id"])
        await scene.finished(asked)
        scene.slack.edits("C0GENERAL", asked, f"{ME} Two")
        note = f"*{gone['id']}: A file was deleted in Slack before I could look at it.*"
        await says(scene, asked, f"{about('Two', '[2]')}\n\n{note}")
