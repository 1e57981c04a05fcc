"""Downloads: what Slack hands over, what it does not, and where the token never goes."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.workspace import BOT, SCOPES

ME = f"<@{BOT}>"
DM = "D0ANN"


async def test_a_login_page_instead_of_a_picture_names_the_missing_scope(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    async with scene.bot():
        scene.slack.workspace.scopes = [scope for scope in SCOPES if scope != "files:read"]
        asked = scene.slack.says("what is it?", (scene.slack.upload(png()),), channel=DM)
        answer = await scene.answer(asked, DM)
    assert answer == "Slack does not let me read photo.png. The person who runs me finds in my log what to do."
    assert "files:read" in caplog.text
    assert not scene.engine.asked


async def test_a_file_of_slack_connect_is_looked_up_first(scene: Scene) -> None:
    async with scene.bot():
        file = scene.slack.upload(png())
        scene.slack.workspace.hidden.add(file["id"])
        asked = scene.slack.says(f"{ME} what is it?", (file,))
        assert await scene.answer(asked) == "Answer to 'what is it?' about [1] after 0 turns."
    assert scene.slack.workspace.calls["files.info"] == 1


async def test_a_file_of_slack_connect_that_stays_hidden_is_explained(scene: Scene) -> None:
    async with scene.bot():
        file = scene.slack.upload(png())
        scene.slack.workspace.hidden.add(file["id"])
        del scene.slack.workspace.files[file["id"]]
        asked = scene.slack.says("what is it?", (file,), channel=DM)
        answer = await scene.answer(asked, DM)
    assert answer == "Slack does not let me read a file that was shared from another workspace."


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"mode": "tombstone"}, "photo.png was deleted in Slack, so I cannot look at it."),
        (
            {"mode": "external", "is_external": True},
            "photo.png is not kept by Slack. Please upload the picture itself.",
        ),
        (
            {"size": 99 << 20},
            "This file has 99.0 MB; at most 32 MB work. Please send a smaller version of the picture.",
        ),
    ],
)
async def test_a_file_that_cannot_be_had_is_explained(scene: Scene, more: dict[str, Any], sentence: str) -> None:
    async with scene.bot():
        asked = scene.slack.says("what is it?", (scene.slack.upload(png(), **more),), channel=DM)
        assert await scene.answer(asked, DM) == sentence
    assert not scene.slack.workspace.calls["file"]


async def test_a_file_that_is_no_picture_is_said_to_be_none(scene: Scene) -> None:
    async with scene.bot():
        zip_file = scene.slack.upload(b"PK\x03\x04", "a.zip", "application/zip")
        asked = scene.slack.says("what is it?", (zip_file,), channel=DM)
        assert (await scene.answer(asked, DM)).startswith("This is an archive.")
        broken = scene.slack.upload(b"\x89PNG broken")
        asked = scene.slack.says("what is it?", (broken,), channel=DM)
        assert "picture" in await scene.answer(asked, DM)
    assert not scene.engine.asked


async def test_the_token_goes_to_slack_only(scene: Scene, aiohttp_listener: list[str]) -> None:
    """Neither to the host that a file names, nor to one that Slack redirects to."""
    async with scene.bot():
        elsewhere = scene.slack.upload(png(), url_private_download=f"{aiohttp_listener[0]}/x.png")
        asked = scene.slack.says("what is it?", (elsewhere,), channel=DM)
        assert await scene.answer(asked, DM) == "photo.png is not kept by Slack. Please upload the picture itself."
        lookalike = scene.slack.upload(png(), url_private_download="https://files.slack.com.evil.example/x.png")
        asked = scene.slack.says("what is it?", (lookalike,), channel=DM)
        assert await scene.answer(asked, DM) == "photo.png is not kept by Slack. Please upload the picture itself."
        scene.slack.redirect_files = f"{aiohttp_listener[0]}/x.png"
        asked = scene.slack.says("what is it?", (scene.slack.upload(png()),), channel=DM)
        assert await scene.answer(asked, DM) == "Answer to 'what is it?' about [1] after 0 turns."
    assert aiohttp_listener[1:] == ["GET /x.png without a token"]


@pytest.fixture
async def aiohttp_listener() -> AsyncIterator[list[str]]:
    """A server that is not Slack's: its address, then what was asked of it."""
    heard: list[str] = []

    async def hear(request: web.Request) -> web.Response:
        with_token = "a token" if "Authorization" in request.headers else "without a token"
        heard.append(f"{request.method} {request.path} {with_token}")
        return web.Response(body=png(), content_type="image/png")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hear)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    heard.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
    yield heard
    await runner.cleanup()


async def test_tokens_questions_and_names_stay_out_of_the_log(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.INFO, "slack_bolt")
    async with scene.bot():
        asked = scene.slack.says("a secret question", (scene.slack.upload(png(), "secret.png"),), channel=DM)
        await scene.finished(asked, channel=DM)
        await scene.slack.drop_sockets(warn=True)
        await scene.slack.connected()
    for secret in ("xoxb", "xapp", "secret question", "secret.png"):
        assert secret not in caplog.text


@pytest.mark.parametrize("receipt", [True, False])
async def test_what_stands_beside_a_picture_and_is_none_is_named(scene: Scene, receipt: bool) -> None:
    async with scene.bot(receipt=receipt):
        files = (
            scene.slack.upload(png()),
            scene.slack.upload(b"video", "holiday__1__.mp4", "video/mp4"),
            scene.slack.upload(b"text", "notes.txt", "text/plain"),
        )
        answer = await scene.answer(scene.slack.says(f"{ME} what is it?", files))
        assert answer.startswith("Answer to 'what is it?' about [1]")
        assert "Not looked at: holiday__1__.mp4, notes.txt." in answer
        answer = await scene.answer(scene.slack.says("", files, channel="D0ANN"), "D0ANN")
        assert answer.startswith("Got picture 1.")
        assert answer.endswith("Not looked at: holiday__1__.mp4, notes.txt.")
