"""Streams that end from outside: somebody stopped one in their client, or deleted it, or what it answers."""

import asyncio
from collections.abc import Callable

import pytest

from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.test_malformed import TRANSPORTS, bot
from tests.bots.slack.workspace import BOT, Json, said

ME, CHANNEL = f"<@{BOT}>", "C0GENERAL"
WHOLE = "Answer to 'what is it?' about [1] after 0 turns."
CALLS = pytest.mark.parametrize("call", ["chat.appendStream", "chat.stopStream"])
MOST = {"chat.startStream": 2, "chat.stopStream": 3, "chat.update": 15, "chat.postMessage": 2, "chat.delete": 3}


def just_before(scene: Scene, call: str, happens: Callable[[Json], object], ends: bool = True) -> None:
    """Something `happens` to the message of the first `call`, which Slack then answers accordingly.

    The answer grows, and `ends` once it has grown, however busy the machine is.
    """
    met: list[str] = []
    gate = scene.engine.gate = asyncio.Event()

    def meet(method: str, args: Json) -> None:
        if method == call and not met:
            met.append(args["ts"])
            happens(args)
        if method == "chat.appendStream" and ends:
            gate.set()

    scene.slack.workspace.denies = meet


def check_tries(scene: Scene) -> None:
    calls = scene.slack.workspace.calls
    assert {method: calls[method] for method, most in MOST.items() if calls[method] > most} == {}


def orphans(scene: Scene) -> list[Json]:
    """The bot's messages that stand below nothing."""
    there = {message["ts"] for message in scene.slack.workspace.channels[CHANNEL]}
    ours = [message for message in scene.slack.workspace.channels[CHANNEL] if message["user"] == BOT]
    return [message for message in ours if message.get("thread_ts") not in there]


@TRANSPORTS
@CALLS
async def test_a_stream_that_slack_says_is_over_becomes_its_whole_answer(
    scene: Scene, call: str, transport: str
) -> None:
    just_before(scene, call, lambda args: scene.slack.workspace._open.pop(args["ts"]))
    async with bot(scene, transport):
        asked = scene.ask()
        assert [said(message) for message in await scene.finished(asked)] == [WHOLE]
    assert scene.slack.workspace.refusals[f"{call} message_not_in_streaming_state"] == 1
    check_tries(scene)


@TRANSPORTS
@CALLS
async def test_a_stream_that_a_person_stopped_is_one_stopped_or_whole_answer(
    scene: Scene, call: str, transport: str
) -> None:
    just_before(scene, call, lambda args: scene.slack.stops_session(CHANNEL, asked), ends=call == "chat.stopStream")
    async with bot(scene, transport):
        asked = scene.ask()
        [answer] = [said(message) for message in await scene.finished(asked)]
    assert answer == WHOLE if call == "chat.stopStream" else answer.endswith("(stopped)")
    check_tries(scene)


@TRANSPORTS
@CALLS
@pytest.mark.parametrize("told", [True, False])
async def test_a_stream_below_a_question_that_is_deleted_leaves_no_orphan(
    scene: Scene, call: str, transport: str, told: bool
) -> None:
    def gone(args: Json) -> None:  # and with its thread, what the bot had begun there
        scene.slack.workspace.channels[CHANNEL].remove(scene.slack.workspace.find(CHANNEL, args["ts"]))
        scene.slack.deletes_message(CHANNEL, asked, told)

    just_before(scene, call, gone)
    async with bot(scene, transport):
        asked = scene.ask()
        await scene.finished(asked, 0)
        assert not orphans(scene)
        check_tries(scene)
        assert await scene.answer(scene.ask()) == WHOLE
    assert not await scene.store.unfinished("slack")


@TRANSPORTS
@CALLS
async def test_a_stream_in_a_thread_whose_root_is_deleted_leaves_no_orphan(
    scene: Scene, call: str, transport: str
) -> None:
    """The question stands further down, so that it is still there to be answered."""

    def gone(args: Json) -> None:
        scene.slack.workspace.channels[CHANNEL].remove(scene.slack.workspace.find(CHANNEL, args["ts"]))
        scene.slack.deletes_message(CHANNEL, root)

    just_before(scene, call, gone)
    async with bot(scene, transport):
        root = scene.slack.says("look", (scene.slack.upload(png()),), user="U0BOB")
        scene.slack.says(f"{ME} what is it?", thread=root)
        await scene.finished(root, 0)
        assert not orphans(scene)
    assert not await scene.store.unfinished("slack")
    check_tries(scene)


@TRANSPORTS
@CALLS
async def test_a_stream_that_is_deleted_is_answered_in_one_new_message(scene: Scene, call: str, transport: str) -> None:
    just_before(
        scene,
        call,
        lambda args: scene.slack.workspace.channels[CHANNEL].remove(scene.slack.workspace.find(CHANNEL, args["ts"])),
    )
    async with bot(scene, transport):
        asked = scene.ask()
        assert [said(message) for message in await scene.finished(asked)] == [WHOLE]
    assert scene.slack.workspace.refusals[f"{call} message_not_found"] == 1
    check_tries(scene)
