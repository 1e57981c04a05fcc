"""Other apps and workflows: answered where a setting says so, when they mention the bot, and never for ever."""

import asyncio

import pytest

from bots.conversing.loop_guard import MOST_IN_A_ROW
from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.workspace import BOT, BOT_ID, said

ME = f"<@{BOT}>"
Sender = dict[str, str | None]
APP: Sender = {"user": "U9", "bot_id": "B9"}
WORKFLOW: Sender = {"user": None, "bot_id": "B0FLOW1"}
ITSELF: tuple[Sender, ...] = ({"user": BOT, "bot_id": BOT_ID}, {"user": None, "bot_id": BOT_ID})
SENDERS = pytest.mark.parametrize("sender", [APP, WORKFLOW], ids=["an app", "a workflow"])


def asks(scene: Scene, sender: Sender, text: str, thread: str | None = None) -> str:
    """An app or a workflow writes a message, with a picture at the top level."""
    files = () if thread else (scene.slack.upload(png()),)
    return scene.slack.says(text, files, thread=thread, **sender)  # type: ignore[arg-type]


async def idle(scene: Scene) -> None:
    """Wait until everything was received and processed."""
    await scene.slack.settled()
    await scene.finished("none", 0)


@SENDERS
async def test_apps_and_workflows_are_not_answered_unless_a_setting_says_so(scene: Scene, sender: Sender) -> None:
    async with scene.bot():
        asks(scene, sender, f"{ME} what is it?")
        await idle(scene)
    assert not scene.engine.asked and not scene.slack.workspace.posted


@SENDERS
async def test_they_are_answered_when_they_mention_the_bot_also_over_http(scene: Scene, sender: Sender) -> None:
    for bot in (scene.bot, scene.bot_over_http):
        async with bot(bots=True):
            asked = asks(scene, sender, f"{ME} what is it?")
            assert await scene.answer(asked) == "Answer to 'what is it?' about [1] after 0 turns."
            asks(scene, sender, "and why?", asked)
            asks(scene, sender, f"{ME} and how?", asked)
            answers = await scene.finished(asked, 2)
            assert [said(each) for each in answers[1:]] == ["Answer to 'and how?' about [] after 1 turns."]
        scene.slack.http_url = None
    assert not scene.slack.workspace.refusals["chat.startStream user_not_found"] or sender is APP


@SENDERS
async def test_where_threads_are_followed_apps_still_have_to_mention_the_bot(scene: Scene, sender: Sender) -> None:
    async with scene.bot(bots=True, threads="follow"):
        asked = scene.ask()
        await scene.finished(asked)
        asks(scene, sender, "and why?", asked)
        await idle(scene)
        assert len(await scene.finished(asked)) == 1


@SENDERS
async def test_edits_of_apps_count_for_nothing(scene: Scene, sender: Sender) -> None:
    async with scene.bot(bots=True):
        asked = asks(scene, sender, f"{ME} what is it?")
        await scene.finished(asked)
        scene.slack.edits("C0GENERAL", asked, f"{ME} what was it?")
        thinking = asks(scene, sender, "I am thinking …")
        scene.slack.edits("C0GENERAL", thinking, f"{ME} what else?")
        await idle(scene)
    assert [each.turns[-1].text for each in scene.engine.asked] == ["what is it?"]


async def test_the_bot_never_answers_itself(scene: Scene) -> None:
    async with scene.bot(bots=True):
        for itself in ITSELF:
            asks(scene, itself, f"{ME} what is it?")
        await idle(scene)
    assert not scene.engine.asked


@SENDERS
async def test_apps_that_answer_each_other_stop_until_a_person_asks(scene: Scene, sender: Sender) -> None:
    """Each begins a thread of its own, so that only the channel shows the row."""
    async with scene.bot(bots=True):
        for _ in range(2):
            for number in range(MOST_IN_A_ROW):
                await scene.answer(asks(scene, sender, f"{ME} {number}"))
            ignored = asks(scene, sender, f"{ME} too many")
            await idle(scene)
            await scene.answer(scene.ask())
            assert not scene.slack.workspace.answers("C0GENERAL", ignored)


@SENDERS
async def test_an_app_is_somebody_to_let_in_and_to_block(scene: Scene, sender: Sender) -> None:
    person = str(sender["user"] or sender["bot_id"])
    async with scene.bot(bots=True, allow=[person], admins=["U0BOSS1"]):
        asked = asks(scene, sender, f"{ME} what is it?")
        assert (await scene.answer(asked)).startswith("Answer to")
        other = asks(scene, {"user": None, "bot_id": "B0OTHER1"}, f"{ME} what is it?")
        assert "B0OTHER1 (C0GENERAL)" in await scene.answer(other)
        scene.slack.says(f"{ME} block {person}", thread=asked, user="U0BOSS1")
        assert f"{person} is blocked" in said((await scene.finished(asked, 2))[-1])
        ignored = asks(scene, sender, f"{ME} two")
        await idle(scene)
        assert not scene.slack.workspace.answers("C0GENERAL", ignored)


async def test_a_bot_that_is_not_answered_neither_stops_nor_forgets(scene: Scene) -> None:
    scene.engine.pause = 0.2
    async with scene.bot():
        asked = scene.ask()
        while not scene.slack.workspace.posted:
            await asyncio.sleep(0.01)
        for order in ("stop", "forget all"):
            asks(scene, APP, f"{ME} {order}", asked)
        assert await scene.answer(asked) == "Answer to 'what is it?' about [1] after 0 turns."
    assert (await scene.store.load(f"slack:T0TEAM:C0GENERAL:{asked}")).turns
