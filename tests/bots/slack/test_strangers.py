"""Admins of a Slack app let strangers in by a tap, block them and take it back, with nothing restarted."""

import asyncio
from typing import Any

import pytest

from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.workspace import BOT, buttons, said

BOSS, BOSS_DM, EVE, EVE_DM = "U0BOSS", "D0BOSS", "U0EVE1", "D0EVE1"
SETTINGS: dict[str, Any] = {"allow": [], "admins": [BOSS]}


@pytest.fixture(autouse=True)
def _chats(scene: Scene) -> None:
    for channel in (EVE_DM, BOSS_DM):
        scene.slack.workspace.channels[channel] = []
        scene.slack.workspace.members.add(channel)


def asked_about(scene: Scene) -> list[dict[str, Any]]:
    messages = scene.slack.workspace.channels[BOSS_DM]
    return [message for message in messages if "Somebody new writes to me" in message["text"]]


async def knock(scene: Scene) -> dict[str, Any]:
    """Return what the admin was asked in their conversation with the app."""
    async with asyncio.timeout(scene.patience_s):
        while not asked_about(scene):
            await asyncio.sleep(0.01)
    return asked_about(scene)[0]


async def answered(scene: Scene, thread: str, words: str) -> None:
    """Wait until the answer stands in the thread, in the place of the line that the stranger got."""
    async with asyncio.timeout(scene.patience_s):
        while not any(
            said(m).startswith(f"Answer to '{words}'") for m in scene.slack.workspace.answers(EVE_DM, thread)
        ):
            await asyncio.sleep(0.01)


def press(scene: Scene, action: str, message: dict[str, Any], user: str = BOSS, **changes: str) -> None:
    [button] = [button for button in buttons(message) if button["action_id"] == action]
    scene.slack.presses({**button, **changes}, message, channel=BOSS_DM, user=user)


async def test_a_stranger_is_let_in_by_a_tap_answered_at_once_and_blocked_again(scene: Scene) -> None:
    async with scene.bot(**SETTINGS):
        asked = scene.slack.says("What is this?", (scene.slack.upload(png()),), channel=EVE_DM, user=EVE)
        assert "I have asked the person who runs this bot" in await scene.answer(asked, EVE_DM)
        asking = await knock(scene)
        assert f"<@{EVE}> – {EVE}" in asking["text"] and "要回答吗" in asking["text"]
        press(scene, "allow", asking)
        await answered(scene, asked, "What is this?")
        await scene.slack.settled()
        async with asyncio.timeout(scene.patience_s):
            while buttons(asking):
                await asyncio.sleep(0.01)
        assert f"{EVE} is let in, and what they asked is answered now." in asking["text"]
        order = scene.slack.says(f"block {EVE}", channel=BOSS_DM, user=BOSS)
        assert f"{EVE} is blocked" in await scene.answer(order, BOSS_DM)
    async with scene.bot(**SETTINGS):  # a restart changes nothing about it
        scene.slack.says("And now?", channel=EVE_DM, user=EVE, thread=asked)
        assert len(await scene.finished(asked, 1, EVE_DM)) == 1
        order = scene.slack.says(f"allow <@{EVE}>", channel=BOSS_DM, user=BOSS)
        assert f"{EVE} is let in." in await scene.answer(order, BOSS_DM)
        scene.slack.says("And then?", channel=EVE_DM, user=EVE, thread=asked)
        await answered(scene, asked, "And then?")
    assert len(scene.engine.asked) == 2


async def test_a_stranger_over_http_is_let_in_by_a_tap(scene: Scene) -> None:
    async with scene.bot_over_http(**SETTINGS):
        asked = scene.slack.says("What is this?", (scene.slack.upload(png()),), channel=EVE_DM, user=EVE)
        asking = await knock(scene)
        press(scene, "allow", asking)
        await answered(scene, asked, "What is this?")


async def test_a_question_that_was_deleted_meanwhile_is_not_answered(scene: Scene) -> None:
    async with scene.bot(**SETTINGS):
        asked = scene.slack.says("What is this?", (scene.slack.upload(png()),), channel=EVE_DM, user=EVE)
        await scene.answer(asked, EVE_DM)
        asking = await knock(scene)
        scene.slack.deletes_message(EVE_DM, asked)
        await scene.slack.settled()
        press(scene, "allow", asking)
        await scene.slack.settled()
        order = scene.slack.says("people", channel=BOSS_DM, user=BOSS)
        assert f"Let in by admins: {EVE}" in await scene.answer(order, BOSS_DM)
        await scene.finished(asked, 0, EVE_DM)
    assert not scene.engine.asked


async def test_only_an_admin_can_press_the_button_and_it_names_a_person(scene: Scene) -> None:
    async with scene.bot(**{**SETTINGS, "allow": ["U0BOB"]}):
        asked = scene.slack.says("What is this?", (scene.slack.upload(png()),), channel=EVE_DM, user=EVE)
        await scene.answer(asked, EVE_DM)
        asking = await knock(scene)
        for user in (EVE, "U0BOB"):
            press(scene, "allow", asking, user=user)
            press(scene, "ignore", asking, user=user)
        for value in ("", "*", f"{EVE} U0BOB1", "slack:x"):
            press(scene, "allow", asking, value=value)
        await scene.slack.settled()
        assert {known.id: known.standing.value for known in await scene.store.known_people(9)} == {EVE: "waiting"}
        assert len(asked_about(scene)) == 1
    assert not scene.engine.asked


async def test_ignored_questions_are_dropped_and_admins_hear_once_a_day(scene: Scene) -> None:
    async with scene.bot(**SETTINGS):
        asked = scene.slack.says("What is this?", (scene.slack.upload(png()),), channel=EVE_DM, user=EVE)
        await scene.answer(asked, EVE_DM)
        press(scene, "ignore", await knock(scene))
        await scene.slack.settled()
        asked = scene.slack.says("Hello?", channel=EVE_DM, user=EVE)
        await scene.finished(asked, 0, EVE_DM)
        order = scene.slack.says(f"allow {EVE}", channel=BOSS_DM, user=BOSS)
        assert await scene.answer(order, BOSS_DM) == f"{EVE} is let in."
        assert len(asked_about(scene)) == 1
    assert not scene.engine.asked


async def test_a_whole_channel_can_be_let_in(scene: Scene) -> None:
    async with scene.bot(**SETTINGS):
        scene.slack.workspace.channels["C0TEAM1"] = []
        scene.slack.workspace.members.add("C0TEAM1")
        order = scene.slack.says("allow C0TEAM1", channel=BOSS_DM, user=BOSS)
        assert await scene.answer(order, BOSS_DM) == "C0TEAM1 is let in."
        asked = scene.slack.says(
            f"<@{BOT}> what is it?",
            (scene.slack.upload(png()),),
            channel="C0TEAM1",
            user=EVE,
        )
        assert (await scene.answer(asked, "C0TEAM1")).startswith("Answer to")
