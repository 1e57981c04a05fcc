"""Orders that do not wait in line: forgetting, and what only admins may do."""

import asyncio
import logging
from typing import Any

import pytest

from bots.slack.access import Declined
from bots.slack.threads import Threads
from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.workspace import BOT, Json, said

ME, DM, BOSS = f"<@{BOT}>", "D0ANN", "U0BOSS"


@pytest.mark.parametrize("streaming", ["native", "edit"])
async def test_forget_ends_what_runs_drops_what_waits_and_leaves_only_its_word(scene: Scene, streaming: str) -> None:
    async with scene.bot(streaming=streaming):
        asked = scene.slack.says(f"{ME} one", (scene.slack.upload(png()),))
        await scene.finished(asked)
        scene.engine.pause = 0.2
        scene.engine.script = lambda _: "word " * 1000
        scene.slack.says(f"{ME} two", thread=asked)
        while len(scene.slack.workspace.answers("C0GENERAL", asked)) < 2:
            await asyncio.sleep(0.01)
        scene.slack.says(f"{ME} three", thread=asked)
        await scene.slack.settled()
        scene.slack.says(f"{ME} forget", thread=asked)
        answers = await scene.finished(asked, 2)
        assert not scene.engine.running
    forgotten = "Forgotten: this conversation and its pictures are deleted."
    assert [said(answer) for answer in answers] == ["Answer to 'one' about [1] after 0 turns.", forgotten]
    conversation = await scene.store.load(f"slack:T0TEAM:C0GENERAL:{asked}")
    assert not conversation.turns and not conversation.pictures
    assert len(scene.engine.asked) == 2


async def test_what_was_forgotten_is_not_taken_in_again_from_further_up_the_thread(scene: Scene) -> None:
    async with scene.bot():
        asked = scene.slack.says(f"{ME} one", (scene.slack.upload(png()),))
        await scene.finished(asked)
        scene.slack.says(f"{ME} forget", thread=asked)
        await scene.finished(asked, 2)
        scene.slack.says(f"{ME} and now?", thread=asked)
        answers = await scene.finished(asked, 3)
        assert said(answers[-1]).startswith("Send a picture with your question")
        scene.slack.says("this one", (scene.slack.upload(png("blue")),), thread=asked)
        scene.slack.says(f"{ME} what is it?", thread=asked)
        answers = await scene.finished(asked, 4)
        assert said(answers[-1]) == "Answer to 'what is it?' about [1] after 0 turns."


async def test_who_is_blocked_cannot_make_the_bot_forget(scene: Scene) -> None:
    async with scene.bot(admins=[BOSS]):
        await scene.finished(scene.slack.says("block <@U0EVE>", channel=DM, user=BOSS), channel=DM)
        scene.engine.pause = 0.1
        asked = scene.ask()
        while not scene.engine.running:
            await asyncio.sleep(0.01)
        scene.slack.says(f"{ME} forget", thread=asked, user="U0EVE")
        assert await scene.answer(asked) == "Answer to 'what is it?' about [1] after 0 turns."


async def test_who_is_blocked_cannot_have_an_answer_written_again(scene: Scene) -> None:
    async with scene.bot(admins=[BOSS]):
        await scene.finished(scene.slack.says("block <@U0EVE>", channel=DM, user=BOSS), channel=DM)
        asked = scene.ask()
        await scene.finished(asked)
        scene.slack.presses(*await scene.button(asked, "retry"), user="U0EVE")
        await scene.finished(asked)
    assert len(scene.engine.asked) == 1


async def test_stats_are_for_admins(scene: Scene) -> None:
    async with scene.bot(admins=[BOSS]):
        asked = scene.slack.says("stats", channel=DM)
        assert await scene.answer(asked, DM) == "Only this bot's admins may do that."
        asked = scene.slack.says("stats", channel=DM, user=BOSS)
        assert "Answered today: 0" in await scene.answer(asked, DM)


async def test_who_is_blocked_gets_silence_until_an_admin_takes_it_back(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bots")
    async with scene.bot(admins=[BOSS]):
        named = scene.slack.says("block @eve", channel=DM, user=BOSS)
        assert (await scene.answer(named, DM)).startswith("Say who, by id or by a real mention")
        order = scene.slack.says("block <@U0EVE1|eve>", channel=DM, user=BOSS)
        said_so = "U0EVE1 is blocked and gets no answer any more. unblock U0EVE1 takes it back."
        assert await scene.answer(order, DM) == said_so
        ignored = scene.slack.says(f"{ME} one", (scene.slack.upload(png()),), user="U0EVE1")
        await scene.slack.settled()
        await scene.answer(scene.slack.says(f"{ME} two", (scene.slack.upload(png()),)))
        assert not scene.slack.workspace.answers("C0GENERAL", ignored)
        assert "refused platform=slack reason=blocked person=slack:T0TEAM:U0EVE1" in [
            line.getMessage() for line in caplog.records
        ]
        order = scene.slack.says("unblock U0EVE1", channel=DM, user=BOSS)
        assert await scene.answer(order, DM) == "U0EVE1 is not blocked any more."
        assert (
            await scene.answer(scene.slack.says(f"{ME} three", (scene.slack.upload(png()),), user="U0EVE1"))
        ).startswith("Answer to 'three'")
    assert [conversation.turns[-1].text for conversation in scene.engine.asked] == ["two", "three"]


@pytest.mark.parametrize("told", [True, False])
async def test_in_anothers_thread_forgetting_has_to_be_meant_for_everybody(scene: Scene, told: bool) -> None:
    scene.slack.tells_who_began = told
    async with scene.bot():
        asked = scene.ask()
        conversation_id = f"slack:T0TEAM:C0GENERAL:{asked}"
        await scene.finished(asked)
        scene.slack.says(f"{ME} forget", thread=asked, user="U0BOB")
        answers = await scene.finished(asked, 2)
        assert said(answers[1]).startswith("Others take part in this conversation.")
        assert "“@pictures forget all”" in said(answers[1])
        assert (await scene.store.load(conversation_id)).turns
        scene.slack.says(f"{ME} and now?", thread=asked, user="U0BOB")
        answers = await scene.finished(asked, 3)
        assert said(answers[2]) == "Answer to 'and now?' about [] after 1 turns."
        scene.slack.says(f"{ME} 忘记 全部", thread=asked, user="U0BOB")
        answers = await scene.finished(asked, 4)
        assert said(answers[-1]).startswith("已忘记")
        assert not (await scene.store.load(conversation_id)).turns


async def test_an_order_to_forget_means_in_its_turn_what_it_meant_when_it_came(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what it stops is lost, and its confirmation may stand above the question whether it is meant."""
    scene.slack.tells_who_began, scene.engine.pause = False, 60
    seen = Threads._read

    async def unseen_once_stored(self: Threads, channel: str, thread: str, **between: Any) -> list[Json]:
        if between == {"latest": thread} and len(await scene.store.unfinished("slack")) > 1:
            raise Declined("not_in_channel")
        return await seen(self, channel, thread, **between)

    async with scene.bot():
        asked = scene.ask()
        while not scene.engine.running:
            await asyncio.sleep(0.01)
        monkeypatch.setattr(Threads, "_read", unseen_once_stored)
        scene.slack.says(f"{ME} forget", thread=asked)
        assert [said(each)[:9] for each in await scene.finished(asked)] == ["Forgotten"]


async def test_in_a_direct_message_and_in_ones_own_thread_it_is_done_at_once(scene: Scene) -> None:
    scene.slack.tells_who_began = False
    async with scene.bot():
        for channel in ("C0GENERAL", DM):
            asked = scene.slack.says(f"{ME} one", (scene.slack.upload(png()),), channel)
            await scene.finished(asked, channel=channel)
            scene.slack.says(f"{ME} forget", channel=channel, thread=asked)
            assert said((await scene.finished(asked, 2, channel))[1]).startswith("Forgotten")
