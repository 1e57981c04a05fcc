"""What Slack refuses about one message costs its answer nothing: it is saved, and said another way."""

import asyncio
from collections import Counter

import pytest

from tests.bots.slack.conftest import LONG, Scene, png, says
from tests.bots.slack.server import Fault
from tests.bots.slack.test_malformed import TRANSPORTS, bot
from tests.bots.slack.workspace import BOT, Json, buttons, said

ME, DM = f"<@{BOT}>", "D0ANN"
WHOLE = "Answer to 'what is it?' about [1] after 0 turns."
UNEDITABLE = ("edit_window_closed", "cant_update_message", "message_not_found")
LAST_WORDS = ("is_archived", "msg_too_long", "invalid_arguments", "access_denied", "something_new")


def is_last(method: str, args: Json) -> bool:
    """Whether that is a last write: only then there is something below it that is no Stop, or nothing."""
    shown = args.get("blocks") or []
    stops = [e for block in shown if block["type"] == "actions" for e in block["elements"] if e["action_id"] == "stop"]
    return method == "chat.stopStream" or (method == "chat.update" and not stops)


@TRANSPORTS
@pytest.mark.parametrize("streaming", ["native", "edit"])
@pytest.mark.parametrize("word", LAST_WORDS)
async def test_one_refusal_of_the_last_write_is_not_the_end_of_the_answer(
    scene: Scene, transport: str, word: str, streaming: str
) -> None:
    left = [1]

    def denies(method: str, args: Json) -> str | None:
        if not is_last(method, args) or not left[0]:
            return None
        left[0] -= 1
        return word

    scene.slack.workspace.denies = denies
    async with bot(scene, transport, streaming=streaming):
        asked = scene.ask()
        assert [said(message) for message in await scene.finished(asked)] == [WHOLE]
    assert not left[0]
    turn = await scene.store.answered(f"slack:T0TEAM:C0GENERAL:{asked}")
    assert turn and turn.answer and turn.answer.text == WHOLE


@TRANSPORTS
@pytest.mark.parametrize("word", LAST_WORDS)
async def test_a_growing_text_that_is_refused_is_passed_over(scene: Scene, transport: str, word: str) -> None:
    workspace = scene.slack.workspace
    workspace.denies = lambda method, args: (
        word if method in ("chat.update", "chat.appendStream") and not is_last(method, args) else None
    )
    scene.engine.gate = asyncio.Event()
    async with bot(scene, transport):
        asked = scene.ask()
        while workspace.refusals.total() < 2:  # of the stream, and of the edit in its place
            await asyncio.sleep(0.01)
        scene.engine.gate.set()
        assert [said(message) for message in await scene.finished(asked)] == [WHOLE]


@TRANSPORTS
@pytest.mark.parametrize("deletable", [True, False])
@pytest.mark.parametrize("word", UNEDITABLE)
async def test_where_no_message_can_be_edited_the_answer_comes_as_one_new_message(
    scene: Scene, transport: str, word: str, deletable: bool
) -> None:
    refused = {"chat.update": word} | ({} if deletable else {"chat.delete": "cant_delete_message"})
    scene.slack.workspace.denies = lambda method, args: refused.get(method)
    scene.engine.pause = 0.02
    for _ in range(2):  # a restart changes nothing
        async with bot(scene, transport, streaming="edit"):
            asked = scene.ask()
            messages = [message for message in await scene.finished(asked, patient=False) if said(message) != "…"]
            assert [said(message) for message in messages] == [WHOLE]
            assert [button["action_id"] for button in buttons(messages[0])] == ["retry"]
            placeholders = len(scene.slack.workspace.answers("C0GENERAL", asked)) - 1
            assert placeholders == (0 if deletable else 2)
    assert scene.slack.workspace.calls["chat.postMessage"] == 2 * 3
    assert scene.slack.workspace.calls["chat.update"] <= 2 * 2


@TRANSPORTS
async def test_an_answer_of_several_messages_comes_whole_where_none_can_be_edited(scene: Scene, transport: str) -> None:
    scene.engine.script = says(LONG)
    scene.slack.workspace.denies = lambda method, _: "edit_window_closed" if method == "chat.update" else None
    async with bot(scene, transport, streaming="edit"):
        asked = scene.ask()
        assert " ".join(said(message) for message in await scene.finished(asked)).split() == LONG.split()


@TRANSPORTS
async def test_a_new_message_whose_reply_is_lost_stands_there_once(scene: Scene, transport: str) -> None:
    calls: Counter[str] = Counter()

    def fault(method: str) -> Fault | None:
        calls[method] += 1
        return Fault("after") if method == "chat.postMessage" and calls[method] == 3 else None

    scene.slack.fault = fault
    scene.slack.workspace.denies = lambda method, _: "edit_window_closed" if method == "chat.update" else None
    async with bot(scene, transport, streaming="edit"):
        asked = scene.ask()
        assert [said(message) for message in await scene.finished(asked)] == [WHOLE]


@TRANSPORTS
async def test_stop_helps_where_no_message_can_be_edited(scene: Scene, transport: str) -> None:
    scene.slack.workspace.denies = lambda method, _: "edit_window_closed" if method == "chat.update" else None
    scene.engine.script = says("word " * 200)
    scene.engine.pause = 0.05
    async with bot(scene, transport, streaming="edit"):
        asked = scene.ask()
        while not scene.engine.running or not scene.slack.workspace.calls["chat.update"]:
            await asyncio.sleep(0.01)
        scene.slack.says(f"{ME} stop", thread=asked)
        answer = await scene.answer(asked)
    assert answer.endswith("(stopped)")
    assert scene.engine.cancelled == 1


@TRANSPORTS
@pytest.mark.parametrize("failing", ["upload", "files.getUploadURLExternal", "files.completeUploadExternal"])
async def test_a_file_that_cannot_be_uploaded_is_given_up_and_the_thread_goes_on(
    scene: Scene, transport: str, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "bots.conversing.delivery.PATIENCE_SECONDS", 0.0
    )  # minutes; what is left is that it was tried often
    scene.slack.fault = lambda method: Fault("before") if method == failing else None
    async with bot(scene, transport):
        asked = scene.slack.says("what is it?", (scene.slack.upload(png()),), channel=DM)
        await scene.finished(asked, channel=DM)
        scene.slack.says("export", channel=DM, thread=asked)
        told = said((await scene.finished(asked, 2, DM))[-1])
        assert told == "conversation.zip could not be sent. Please ask for it again later."
        scene.slack.says("and why?", channel=DM, thread=asked)
        assert said((await scene.finished(asked, 3, DM))[-1]) == "Answer to 'and why?' about [] after 1 turns."
    assert scene.slack.faults["before"] >= 5 or failing == "upload"
