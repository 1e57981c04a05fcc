"""How events come in: WebSockets that drop, warnings, signatures, forgeries."""

import asyncio
import json
from io import BytesIO

import aiohttp
import pytest

from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.server import signed
from tests.bots.slack.workspace import BOT, said

ME = f"<@{BOT}>"
DM = "D0ANN"


@pytest.mark.parametrize("warn", [True, False])
async def test_a_connection_that_ends_is_followed_by_the_next(scene: Scene, warn: bool) -> None:
    async with scene.bot():
        for count in range(1, 3):
            scene.slack.says("what is it?", (scene.slack.upload(png()),), channel=DM)
            await scene.slack.drop_sockets(warn)
            async with asyncio.timeout(60):
                while scene.slack.connections <= count:
                    await asyncio.sleep(0.02)
        asked = scene.slack.says("and now?", (scene.slack.upload(png()),), channel=DM)
        assert (await scene.answer(asked, DM)).startswith("Answer to 'and now?'")
    assert len(scene.engine.asked) == 3


async def test_an_address_that_is_used_up_does_not_leave_the_bot_deaf(scene: Scene) -> None:
    scene.slack.refuse_sockets = True
    async with scene.bot_in_background():
        async with asyncio.timeout(60):
            while scene.slack.workspace.calls["apps.connections.open"] < 2:
                await asyncio.sleep(0.02)
        scene.slack.refuse_sockets = False
        asked = scene.slack.says("what is it?", (scene.slack.upload(png()),), channel=DM)
        assert (await scene.answer(asked, DM)).startswith("Answer to")


async def test_over_http_the_same_questions_are_answered(scene: Scene) -> None:
    scene.slack.copies, scene.slack.ack_s = 3, 20.0  # patient, so that a busy machine brings no retries
    async with scene.bot_over_http():
        asked = scene.slack.says(f"{ME} what is it?", (scene.slack.upload(png()),))
        assert await scene.answer(asked) == "Answer to 'what is it?' about [1] after 0 turns."
        scene.slack.presses(*await scene.button(asked, "retry"))
        await scene.slack.settled()
        assert [said(answer) for answer in await scene.finished(asked)] == [
            "Answer to 'what is it?' about [1] after 0 turns."
        ]
    assert len(scene.engine.asked) == 2
    assert not scene.slack.retries


async def test_slack_is_recognised_by_its_signature_only(scene: Scene) -> None:
    event = {"type": "message", "channel": DM, "channel_type": "im", "user": "U0EVE", "text": "hi", "ts": "1.1"}
    body = json.dumps({"type": "event_callback", "team_id": "T0TEAM", "event": event, "event_id": "Ev1"})
    forged = {
        "none": {},
        "wrong secret": signed(body, "another"),
        "another body": signed(body + " "),
        "replayed": signed(body, age_s=600),
        "no time": {"X-Slack-Signature": signed(body)["X-Slack-Signature"]},
    }
    async with scene.bot_over_http(), aiohttp.ClientSession() as eve:
        assert scene.slack.http_url
        for name, headers in forged.items():
            async with eve.post(scene.slack.http_url, data=body, headers=headers) as answer:
                assert answer.status == 401, name
        async with eve.post(scene.slack.http_url, data=BytesIO(b"x" * (2 << 20)), headers=signed("x")) as answer:
            assert answer.status == 413
        async with eve.post(scene.slack.http_url, data=b"\xff\xfe", headers=signed("x")) as answer:
            assert answer.status == 400
        await scene.slack.settled()
        assert not scene.slack.workspace.channels[DM]
        challenge = json.dumps({"type": "url_verification", "challenge": "c", "token": "t"})
        headers = {"Content-Type": "application/json", **signed(challenge)}
        async with eve.post(scene.slack.http_url, data=challenge, headers=headers) as answer:
            assert "c" in await answer.text()
    assert not scene.engine.asked


async def test_when_the_disk_fails_slack_is_not_told_that_the_message_arrived(scene: Scene) -> None:
    async with scene.bot():
        file = scene.store.database.file
        assert file
        away = file.rename(file.with_name("elsewhere.db"))
        asked = scene.slack.says("what is it?", (scene.slack.upload(png()),), channel=DM)
        while not scene.slack.retries:
            await asyncio.sleep(0.02)
        away.rename(file)
        assert (await scene.answer(asked, DM)).startswith("Answer to")
