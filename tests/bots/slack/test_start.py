"""Settings, tokens and scopes: what is wrong is said by name, with the remedy."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from pydantic import ValidationError

from bots.conversing.check_result import Level
from bots.conversing.services import Services
from bots.slack import Config, examine, run
from bots.slack.access import SCOPES, WISHES
from bots.slack.window import SHORTCUT
from core.assistant import Assistant
from core.errors import OperatorError
from tests.bots.slack.conftest import Scene, png, settings
from tests.bots.slack.server import Fault
from tests.bots.slack.workspace import SECRET

MANIFEST = Path(__file__).parents[3] / "bots" / "slack_manifest.yaml"


async def start(scene: Scene, **changes: Any) -> str:
    """The sentence that the bot ends with."""
    config = settings(scene.slack, **changes)
    with pytest.raises(OperatorError) as error:
        async with asyncio.timeout(60):
            await run(config, Services(Assistant(scene.engine, scene.store), scene.store))
    return str(error.value)


async def test_a_revoked_token_is_named(scene: Scene) -> None:
    scene.slack.workspace.token = "xoxb-another"
    assert "(token_revoked)" in await start(scene)


async def test_missing_scopes_are_named(scene: Scene) -> None:
    scene.slack.workspace.scopes = ["chat:write", "app_mentions:read"]
    sentence = await start(scene)
    assert "channels:history, files:read, groups:history, im:history, mpim:history" in sentence
    assert "reinstall" in sentence


async def test_an_app_token_that_slack_does_not_take_is_named(scene: Scene) -> None:
    assert "(invalid_auth)" in await start(scene, app_token="xapp-wrong")


async def test_http_needs_the_web_adapter(scene: Scene) -> None:
    assert "[bots.web]" in await start(scene, app_token=None, signing_secret=SECRET)


@pytest.mark.parametrize("admins", [[], ["U0ANN"]])
async def test_an_empty_list_is_warned_of_where_nobody_is_answered(
    scene: Scene, caplog: pytest.LogCaptureFixture, admins: list[str]
) -> None:
    async with scene.bot(allow=[], admins=admins):
        asked = scene.slack.says("what is it?", (scene.slack.upload(png()),), channel="D0ANN")
        assert (await scene.answer(asked, "D0ANN")).startswith("Answer to") == bool(admins)
    assert ("no one is answered" in caplog.text) == (not admins)


async def test_slack_being_away_at_the_start_is_waited_for(scene: Scene) -> None:
    left = [3]

    def fault(_: str) -> Fault | None:
        left[0] -= 1
        return Fault("before") if left[0] >= 0 else None

    scene.slack.fault = fault
    async with scene.bot():
        asked = scene.slack.says("what is it?", (scene.slack.upload(png()),), channel="D0ANN")
        assert (await scene.answer(asked, "D0ANN")).startswith("Answer to")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"app_token": None}, "either app_token"),
        ({"signing_secret": "x"}, "either app_token"),
        ({"bot_token": "xoxp-1"}, "begins with xoxb-"),
        ({"app_token": "xoxb-1"}, "begins with xapp-"),
        ({"allow": ["@ann"]}, "@ann is no id"),
        ({"threads": "always"}, "mention"),
        ({"tokens": "x"}, "Extra inputs"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_reason(changes: dict[str, Any], reason: str) -> None:
    values = {"bot_token": "xoxb-1", "app_token": "xapp-1", **changes}
    with pytest.raises(ValidationError, match=reason):
        Config.model_validate({name: value for name, value in values.items() if value is not None})


async def test_the_doctor_finds_what_is_right_and_what_is_missing(scene: Scene) -> None:
    findings = await examine(settings(scene.slack))
    assert [finding.level for finding in findings] == [Level.OK, Level.OK]
    assert "U0BOT" in findings[0].text
    scene.slack.workspace.scopes.remove("users:read")
    assert "users:read is missing" in (await examine(settings(scene.slack)))[1].text
    scene.slack.workspace.scopes.remove("files:read")
    with pytest.raises(OperatorError, match="files:read"):
        await examine(settings(scene.slack))


async def test_the_doctor_names_a_bad_app_token(scene: Scene) -> None:
    with pytest.raises(OperatorError, match="invalid_auth"):
        await examine(settings(scene.slack, app_token="xapp-wrong"))


def test_secrets_do_not_show_in_the_settings() -> None:
    assert "xoxb" not in repr(Config.model_validate({"bot_token": "xoxb-1", "app_token": "xapp-1"}))


def test_the_manifest_asks_for_exactly_what_the_bot_uses() -> None:
    manifest = yaml.safe_load(MANIFEST.read_text("utf-8"))
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == SCOPES | set(WISHES)
    assert set(manifest["settings"]["event_subscriptions"]["bot_events"]) == {
        "agent_session_stopped",
        "app_mention",
        "file_deleted",
        "message.channels",
        "message.groups",
        "message.im",
        "message.mpim",
        "reaction_added",
        "reaction_removed",
    }
    assert manifest["settings"]["socket_mode_enabled"] is True
    assert manifest["settings"]["interactivity"]["is_enabled"] is True
    assert [shortcut["callback_id"] for shortcut in manifest["features"]["shortcuts"]] == [SHORTCUT]
    assert "commands" in manifest["oauth_config"]["scopes"]["bot"]  # which shortcuts need
    assert "agent_view" in manifest["features"]
    assert "assistant_view" not in manifest["features"]
