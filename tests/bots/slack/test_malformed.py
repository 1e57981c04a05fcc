"""What no Slack should send, or an older one did: acknowledged, logged by its id, and nobody else notices."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from tests.bots.malformed import WORD, many
from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.server import signed
from tests.bots.slack.workspace import BOT, Json, buttons, said
from tests.fakes import describe

ME, DM = f"<@{BOT}>", "D0ANN"
FORGOTTEN = "I do not remember that answer any more. Please send the picture again."
MOST = 100  # generated ones for each transport
TRANSPORTS = pytest.mark.parametrize("transport", ["socket", "http"])


def bot(scene: Scene, transport: str, **changes: Any) -> AbstractAsyncContextManager[Any]:
    scene.slack.ack_s = 60.0  # patient, so that a busy machine brings no retries
    return scene.bot(**changes) if transport == "socket" else scene.bot_over_http(**changes)


async def next_is_answered(scene: Scene, number: int = 0) -> None:
    """Everything sent so far is acknowledged (else it would come again for ever), and the next picture is answered."""
    await scene.slack.settled()
    asked = scene.slack.says(f"{ME} what is it?", (scene.slack.upload(png()),), user=f"U0NEXT{number}")
    assert await scene.answer(asked) == "Answer to 'what is it?' about [1] after 0 turns."


def event(**fields: Any) -> Json:
    return {"type": "event_callback", "team_id": "T0TEAM", "event_id": "Ev0123456789", "event": fields}


USELESS: dict[str, Any] = {
    "a list": [],
    "nothing": None,
    "a number": 5,
    "text": WORD,
    "no type": {},
    "an unknown type": {"type": WORD},
    "no event": {"type": "event_callback", "event_id": "Ev0123456789"},
    "an empty event": event(),
    "an event that is null": {"type": "event_callback", "event_id": "Ev0123456789", "event": None},
    "an event that is a list": {"type": "event_callback", "event_id": "Ev0123456789", "event": [WORD]},
    "an event of an unknown type": event(type=WORD),
    "an event whose type is a number": event(type=5),
    "a reaction without its name": event(type="reaction_added", user="U0ANN", item={"channel": DM, "ts": "1.1"}),
    "a reaction to nothing": event(type="reaction_added", user="U0ANN", reaction="+1", item=WORD),
    "a deleted file without its id": event(type="file_deleted"),
    "a stopped session without a channel": event(type="agent_session_stopped", user="U0ANN", thread_ts="1.1"),
    "a message without a channel": event(type="message", user="U0ANN", text=WORD, ts="1.1"),
    "a message without a time": event(type="message", user="U0ANN", text=WORD, channel=DM),
    "a mention whose time is no time": event(type="app_mention", user="U0ANN", text=WORD, channel=DM, ts=WORD),
    "a deletion without a channel": event(type="message", subtype="message_deleted", previous_message={}, ts="1.1"),
    "no actions": {"type": "block_actions", "actions": []},
    "actions that are none": {"type": "block_actions", "actions": [WORD]},
    "a button below nothing": {"type": "block_actions", "actions": [{"action_id": "stop"}], "user": {"id": "U0ANN"}},
    "a shortcut on nothing": {"type": "message_action", "callback_id": "ask_about_picture", "user": {"id": "U0ANN"}},
    "a window without a person": {"type": "view_submission", "view": {"callback_id": "ask_about_picture"}},
    "a slash command": {"command": "/ask", "text": WORD},
}


@TRANSPORTS
async def test_what_nothing_can_be_made_of_is_acknowledged_and_logged_without_its_words(
    scene: Scene, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with bot(scene, transport):
        for name, payload in USELESS.items():
            caplog.clear()
            scene.slack.sends("events_api", payload)
            await scene.slack.settled()
            lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
            assert len(lines) == (0 if name == "an event of an unknown type" else 1), (name, caplog.messages)
            assert WORD not in caplog.text
            if isinstance(payload, dict) and "event_id" in payload and lines:
                assert "Ev0123456789" in caplog.text, name
        await next_is_answered(scene)
    assert not await scene.store.unfinished("slack")


async def real_ones(scene: Scene) -> list[tuple[str, Json]]:
    """One of everything that Slack sends, held back."""
    slack = scene.slack
    asked = slack.says(f"{ME} what is it?", (slack.upload(png()),))
    [answer] = await scene.finished(asked)
    file = slack.upload(png("blue"), f"{WORD}.png", title=WORD)
    held = slack.held = []
    slack.says(f"{ME} {WORD}", (file,))
    slack.says(WORD, (file,), channel=DM, bot_id="B0APP")
    slack.says(WORD, channel=DM, attachments=[{"is_share": True, "text": WORD, "files": [file]}])
    slack.says(f"{ME} {WORD}", thread=asked)
    shared = slack.says(f"{WORD} again", (file,), deliver=False)
    message = slack.workspace.find("C0GENERAL", shared)
    changed = {"type": "message", "subtype": "message_changed", "channel": "C0GENERAL", "ts": slack.workspace.ts()}
    slack.tell({**changed, "message": {**message, "files": []}, "previous_message": message})
    slack.deletes_message("C0GENERAL", shared)
    slack.deletes_file(file["id"])
    slack.reacts("+1", answer)
    slack.stops_session("C0GENERAL", asked)
    for action in ("retry", "stop", "csv", "smallprint", f"{WORD} of old"):
        value = json.dumps({"key": f"slack:T0TEAM:C0GENERAL:{asked}", "asked": asked})
        slack.presses({"action_id": action, "value": value}, answer)
    slack.opens_shortcut(message)
    place = {"channel": "C0GENERAL", "thread": asked, "asked": asked, "user": "U0ANN", "team": "T0TEAM", "told": ""}
    view = {"id": "V0", "callback_id": "ask_about_picture", "private_metadata": json.dumps(place)}
    slack.submits(view, f"{WORD}?")
    slack.held = None
    return held


@pytest.mark.timeout(600)
@TRANSPORTS
async def test_after_each_of_a_hundred_malformed_events_the_next_person_is_answered(
    scene: Scene, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with bot(scene, transport):
        whole = await real_ones(scene)
        caplog.clear()
        for number, (kind, broken) in enumerate(many(MOST, 25, whole)):
            scene.slack.sends(kind, broken)
            await next_is_answered(scene, number)
            assert WORD not in caplog.text, broken


@TRANSPORTS
async def test_one_broken_file_does_not_spoil_the_others(scene: Scene, transport: str) -> None:
    async with bot(scene, transport):
        asked = scene.slack.says(f"{ME} what is it?", (scene.slack.upload(png()),), deliver=False)
        message = scene.slack.workspace.find("C0GENERAL", asked)
        message["files"] += [None, 5, {"id": 7, "mimetype": ["image/png"]}]
        scene.slack.tell({**message, "type": "app_mention", "channel": "C0GENERAL"})
        assert await scene.answer(asked) == "Answer to 'what is it?' about [1] after 0 turns."


@TRANSPORTS
async def test_half_an_emoji_does_not_cost_the_question(scene: Scene, transport: str) -> None:
    async with bot(scene, transport):
        asked = scene.slack.says("what \ud83d is it?\0", (scene.slack.upload(png()),), channel=DM)
        assert await scene.answer(asked, DM) == "Answer to 'what ? is it?' about [1] after 0 turns."


# Buttons and windows


@TRANSPORTS
@pytest.mark.parametrize(
    "pressed",
    [
        {"action_id": "retry", "value": "171.1"},  # as an older version wrote it
        {"action_id": "retry", "value": '{"key": "slack:x", "asked": "yesterday"}'},
        {"action_id": "retry", "value": '{"key": "telegram:1:2", "asked": "171.1"}'},
        {"action_id": "csv", "value": "[]"},
        {"action_id": "smallprint"},
        {"action_id": "summarise", "value": "{}"},
    ],
)
async def test_a_button_that_nothing_can_be_made_of_is_told_so_once(
    scene: Scene, transport: str, pressed: Json
) -> None:
    async with bot(scene, transport):
        asked = scene.ask()
        [answer] = await scene.finished(asked)
        for _ in range(2):
            scene.slack.presses(pressed, answer)
            await scene.slack.settled()
        assert [said(message) for message in await scene.finished(asked, 2)] == [said(answer), FORGOTTEN]
        assert not buttons((await scene.finished(asked, 2))[1])
    assert len(scene.engine.asked) == 1


@TRANSPORTS
@pytest.mark.parametrize(
    "view",
    [
        {"callback_id": "ask_about_picture", "private_metadata": "of another app"},
        {"callback_id": "ask_about_picture", "private_metadata": '{"channel": "C0GENERAL"}'},
        {"callback_id": "somebody_elses", "private_metadata": ""},
    ],
)
async def test_a_window_that_nothing_can_be_made_of_says_so_itself(scene: Scene, transport: str, view: Json) -> None:
    async with bot(scene, transport):
        scene.slack.submits({"id": "V7", **view}, "what is it?")
        await scene.slack.settled()
    [told] = scene.slack.told
    assert told["response_action"] == "update"
    assert told["view"]["blocks"][0]["text"]["text"] == FORGOTTEN


async def test_a_stored_message_of_another_version_does_not_come_back_at_every_start(scene: Scene) -> None:
    for number, payload in enumerate(('{"kind": "message", "message": {}}', '{"kind": "fax"}', "{}", "", "[]")):
        assert await scene.store.put("slack", f"slack:old:{number}", f"slack:old:{number}", payload)
    async with scene.bot():
        await next_is_answered(scene)
    assert not await scene.store.unfinished("slack")


# Over HTTP anybody may knock


@asynccontextmanager
async def strangers(scene: Scene) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    async with scene.bot_over_http(), aiohttp.ClientSession() as session:
        assert scene.slack.http_url
        yield scene.slack.http_url, session


DEEP = "[" * 100_000 + "]" * 100_000
UNSIGNED: dict[str, tuple[str, dict[str, str], int]] = {
    "a time that is none": ("{}", {**signed("{}"), "X-Slack-Request-Timestamp": "abc"}, 401),
    "a time of many digits": ("{}", {**signed("{}"), "X-Slack-Request-Timestamp": "9" * 5000}, 401),
    "a signature that is not ASCII": ("{}", {**signed("{}"), "X-Slack-Signature": "v0=é"}, 401),
    "no signature": ("{}", {}, 401),
    "broken JSON": ('{"a', signed("{}"), 401),
    "a hundred thousand brackets": (DEEP, signed("{}"), 401),
    "a form": (urlencode({"payload": DEEP}), signed("{}"), 401),
}


@pytest.mark.parametrize("name", UNSIGNED)
async def test_who_does_not_sign_is_refused_with_one_line_before_anything_is_read(
    scene: Scene, name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, headers, status = UNSIGNED[name]
    async with strangers(scene) as (url, session):
        caplog.clear()
        monkeypatch.setattr("bots.slack.webhook.json.loads", lambda _: pytest.fail("the body was read"))
        async with session.post(url, data=body, headers=headers) as answer:
            assert answer.status == status
        monkeypatch.undo()
        assert [record.name for record in caplog.records] == ["bots.slack.webhook"]
        assert "Traceback" not in caplog.text
        await next_is_answered(scene)


SIGNED: dict[str, str] = {
    "broken JSON": '{"a',
    "a hundred thousand brackets": DEEP,
    "a form of brackets": urlencode({"payload": DEEP}),
    "an empty form": "payload=",
    "another form": urlencode({"ssl_check": "1"}),
    "nothing": "",
    "a list": "[]",
    "null": "null",
    "an event that is null": '{"type": "event_callback", "event": null}',
    "no actions": urlencode({"payload": '{"type": "block_actions", "actions": []}'}),
}


@pytest.mark.parametrize("name", SIGNED)
async def test_signed_nonsense_is_acknowledged_with_one_line(
    scene: Scene, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = SIGNED[name]
    async with strangers(scene) as (url, session):
        caplog.clear()
        async with session.post(url, data=BytesIO(body.encode()), headers=signed(body)) as answer:
            assert answer.status == 200
        assert [record.name for record in caplog.records] == ["bots.slack.gateway"]
        assert "Traceback" not in caplog.text
        await next_is_answered(scene)
    assert scene.engine.script is describe
