"""Who is refused: one channel, whose person is told, or the bot itself, which then waits until it is let in again."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from starlette.routing import Router

from bots import web
from bots.conversing.health import DOWN_AFTER_SECONDS, Health
from bots.conversing.services import Services
from bots.slack import run
from core.assistant import Assistant
from core.errors import OperatorError
from tests.bots.slack.conftest import Scene, png, settings
from tests.bots.slack.server import signed
from tests.bots.slack.workspace import BOT, SECRET, Json, said

ME, DM, SECRET_CHANNEL = f"<@{BOT}>", "D0ANN", "C0SECRET"
TRANSPORTS = pytest.mark.parametrize("transport", ["socket", "http"])
WORDS = (
    "no_permission", "missing_scope", "ekm_access_denied", "team_access_not_granted", "org_login_required",
    "not_allowed_token_type", "token_revoked", "invalid_auth", "restricted_action", "is_archived", "access_denied",
    "restricted_action_read_only_channel", "restricted_action_thread_locked", "message_limit_exceeded",
)  # fmt: skip


def bot(scene: Scene, transport: str, **changes: Any) -> AbstractAsyncContextManager[Any]:
    scene.slack.ack_s = 60.0
    return scene.bot(**changes) if transport == "socket" else scene.bot_over_http(**changes)


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.01)


# One channel


def deny(scene: Scene, word: str, *methods: str) -> None:
    """In one channel, always."""

    def denies(method: str, args: Json) -> str | None:
        return word if method in methods and args.get("channel") == SECRET_CHANNEL else None

    scene.slack.workspace.channels[SECRET_CHANNEL] = []
    scene.slack.workspace.members.add(SECRET_CHANNEL)
    scene.slack.workspace.denies = denies


@TRANSPORTS
@pytest.mark.parametrize("word", WORDS)
async def test_where_one_channel_is_refused_the_person_is_told_and_everybody_else_is_answered(
    scene: Scene, transport: str, word: str
) -> None:
    deny(scene, word, "chat.postMessage", "chat.startStream")
    async with bot(scene, transport):
        scene.slack.says(f"{ME} what is it?", (scene.slack.upload(png()),), SECRET_CHANNEL)
        other = scene.ask("and this?")
        assert (await scene.answer(other)).startswith("Answer to 'and this?'")
        assert [message["text"] for message in scene.slack.workspace.channels[DM]] == [
            "I cannot write in that channel. Please ask me here instead."
        ]
        assert not await scene.store.unfinished("slack")
    assert scene.health.platforms["slack"].up


@TRANSPORTS
@pytest.mark.parametrize("streaming", ["native", "edit"])
@pytest.mark.parametrize(
    ("method", "word"),
    [
        ("chat.update", "no_permission"),
        ("chat.appendStream", "ekm_access_denied"),
        ("chat.stopStream", "org_login_required"),
        ("chat.postMessage", "missing_scope"),
    ],
)
async def test_a_stored_question_that_slack_refuses_ends_no_start(
    scene: Scene, method: str, word: str, streaming: str, transport: str
) -> None:
    deny(scene, word, method)
    file = scene.slack.upload(png())
    asked = scene.slack.says(f"{ME} what is it?", (file,), SECRET_CHANNEL, deliver=False)
    message = {"channel": SECRET_CHANNEL, "ts": asked, "thread": asked, "user": "U0ANN", "team": "T0TEAM"}
    payload = json.dumps({"kind": "message", "message": {**message, "text": f"{ME} what is it?", "files": [file]}})
    key = f"slack:T0TEAM:{SECRET_CHANNEL}:{asked}"
    assert await scene.store.put("slack", key, key, payload)
    for _ in range(2):
        async with bot(scene, transport, streaming=streaming) as running:
            assert (await scene.answer(scene.ask("and this?"))).startswith("Answer to 'and this?'")
            assert running is None or not running.done()
    assert not await scene.store.unfinished("slack")
    turn = await scene.store.answered(key)
    if method != "chat.postMessage":
        assert turn and turn.answer and turn.answer.text == "Answer to 'what is it?' about [1] after 0 turns."


# The bot itself


def lose_the_token(scene: Scene) -> None:
    scene.slack.workspace.token = "xoxb-another"


def lose_a_scope(scene: Scene) -> None:
    scene.slack.workspace.scopes.remove("chat:write")


def find_all(scene: Scene) -> None:
    scene.slack.workspace.token = "xoxb-1-good"
    scene.slack.workspace.app_token = "xapp-1-good"
    scene.slack.workspace.scopes.append("chat:write")


@TRANSPORTS
@pytest.mark.parametrize("lose", [lose_the_token, lose_a_scope])
async def test_a_token_that_worked_is_tried_again_until_it_works_and_the_question_waits(
    scene: Scene, transport: str, lose: Callable[[Scene], None], caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    scene.health = Health(lambda: now[0])
    async with bot(scene, transport):
        await until(lambda: scene.health.has_worked("slack"))
        lose(scene)
        asked = scene.slack.says("what is it?", (scene.slack.upload(png()),), channel=DM)
        await scene.slack.settled()
        tried = scene.slack.workspace.calls["auth.test"]
        await until(lambda: scene.slack.workspace.calls["auth.test"] > tried + 1)
        assert scene.health.platforms["slack"].up
        now[0] = DOWN_AFTER_SECONDS
        await until(lambda: not scene.health.platforms["slack"].up)
        tried = scene.slack.workspace.calls["auth.test"]
        await until(lambda: scene.slack.workspace.calls["auth.test"] > tried)
        assert len([line for line in caplog.messages if line.startswith("slack is down")]) == 1
        find_all(scene)
        assert await scene.answer(asked, DM) == "Answer to 'what is it?' about [1] after 0 turns."
        assert scene.health.platforms["slack"].up


async def test_a_link_that_is_disabled_is_tried_again_until_it_works(scene: Scene) -> None:
    async with scene.bot() as running:
        await until(lambda: scene.health.has_worked("slack"))
        scene.slack.workspace.app_token = "xapp-another"
        await scene.slack.drop_sockets()
        tried = scene.slack.workspace.calls["apps.connections.open"]
        await until(lambda: scene.slack.workspace.calls["apps.connections.open"] > tried + 2)
        assert not running.done()
        find_all(scene)
        asked = scene.slack.says("what is it?", (scene.slack.upload(png()),), channel=DM)
        assert await scene.answer(asked, DM) == "Answer to 'what is it?' about [1] after 0 turns."


async def test_a_start_after_a_crash_waits_for_a_token_that_worked(scene: Scene) -> None:
    async with scene.bot():
        await until(lambda: scene.health.has_worked("slack"))
    lose_the_token(scene)
    async with scene.bot_in_background() as running:
        tried = scene.slack.workspace.calls["auth.test"]
        await until(lambda: scene.slack.workspace.calls["auth.test"] > tried + 1)
        assert not running.done()
        find_all(scene)
        assert (await scene.answer(scene.ask())).startswith("Answer to")


# The route over HTTP


@asynccontextmanager
async def page(scene: Scene) -> AsyncIterator[tuple[Services, str]]:
    """The web adapter alone."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    router = Router(redirect_slashes=False)
    services = Services(Assistant(scene.engine, scene.store), scene.store, extra_routes=router, health=scene.health)
    serving = asyncio.create_task(web.run(web.Config(port=0), services, ready.set_result))
    try:
        yield services, f"{await ready}/slack/events"
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def test_while_nobody_receives_slack_is_asked_to_come_again_and_never_told_that_nothing_is_there(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bots.slack.webhook.RECEIVER_WAIT_SECONDS", 0.0)
    event = {"type": "message", "channel": DM, "channel_type": "im", "user": "U0ANN", "text": "help", "ts": "1.1"}
    body = json.dumps({"type": "event_callback", "event": event, "event_id": "Ev0123456"})
    lose_the_token(scene)
    async with page(scene) as (services, url), aiohttp.ClientSession() as session:

        async def status() -> int:
            async with session.post(url, data=body, headers=signed(body)) as answer:
                return answer.status

        config = settings(scene.slack, app_token=None, signing_secret=SECRET)
        with pytest.raises(OperatorError):
            await run(config, services)
        assert await status() == 503
        find_all(scene)
        for _ in range(2):  # also after it has been started anew
            task = asyncio.create_task(run(config, services))
            await asyncio.sleep(0)
            async with asyncio.timeout(60):
                while (answered := await status()) != 200:
                    assert answered == 503
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert await status() == 503
        async with session.post(url, data=body) as answer:
            assert answer.status == 401


async def test_the_answer_that_was_begun_in_a_channel_is_saved_when_that_is_archived(scene: Scene) -> None:
    scene.engine.gate = asyncio.Event()
    async with scene.bot(streaming="edit"):
        asked = scene.ask()
        await scene.button(asked, "stop")
        scene.slack.workspace.denies = lambda method, args: (
            "is_archived" if args.get("channel") == "C0GENERAL" else None
        )
        scene.engine.gate.set()
        await until(lambda: scene.slack.workspace.channels[DM])
        await scene.finished(asked, 0)
    turn = await scene.store.answered(f"slack:T0TEAM:C0GENERAL:{asked}")
    assert turn and turn.answer and turn.answer.text == "Answer to 'what is it?' about [1] after 0 turns."
    assert said(scene.slack.workspace.channels[DM][0]) == "I cannot write in that channel. Please ask me here instead."
