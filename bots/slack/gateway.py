"""Receive everything from Slack, over HTTP and over a WebSocket: check it, pass it to Bolt, acknowledge it.

Slack repeats what is not acknowledged. So only what could not be stored stays unacknowledged. What cannot be understood
is acknowledged and logged by its id, without any of its words.
"""

import logging
import re
from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr, ValidationError
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.response import BoltResponse

from bots.slack.api import SlackApi
from bots.slack.events import Json, fields
from core.errors import StoreDown
from core.trace import without_words

log = logging.getLogger(__name__)
# All fields that Bolt or we need. Bolt reads many more, and must not fail on those.
_BODY = frozenset(
    "type challenge event_id event user channel message container actions view callback_id trigger_id".split()
)
_EVENT = frozenset(
    "type subtype channel channel_type user user_team team text ts thread_ts event_ts deleted_ts files attachments "
    "bot_id message previous_message file_id reaction item item_user".split()
)
_TEAMS = ("team", "user_team")  # without which a question is whole, and over which Bolt would stumble
_OURS = re.compile(r"Ev[0-9A-Za-z]{4,40}|[0-9]{1,20}\.[0-9]{1,10}|V[0-9A-Z]{1,40}")


def make_app(slack: SlackApi, signing_secret: SecretStr | None) -> AsyncApp:
    """Return Bolt's app. It acknowledges after the listener by `process_before_response`; by default before."""

    async def authorize() -> AuthorizeResult:
        """As `introduce` found it; else Bolt would ask auth.test about every event."""
        return AuthorizeResult(enterprise_id=None, team_id=slack.team, bot_user_id=slack.bot, bot_id=slack.bot_id)

    return AsyncApp(
        name="picture-answers",
        client=slack.bare_client,
        authorize=authorize,
        signing_secret=signing_secret.get_secret_value() if signing_secret else None,
        request_verification_enabled=False,
        process_before_response=True,
        attaching_function_token_enabled=False,
        attaching_conversation_kwargs_enabled=False,
        raise_error_for_unhandled_request=True,  # else Bolt logs what came
    )


class Gateway:
    """The entrance. `app` is Bolt's, which acknowledges after its listeners."""

    def __init__(self, app: AsyncApp) -> None:
        self._app = app
        app.error(self._on_error)

    async def receive(self, body: object) -> BoltResponse:
        """Return the reply for Slack. Never raises."""
        if not isinstance(body, dict) or (reduced := _reduce(body)) is None:
            log.warning("something from Slack is not whole and is skipped: %s", name_of(body))
            return BoltResponse(status=200)
        try:
            return await self._app.async_dispatch(AsyncBoltRequest(body=reduced, mode="socket_mode"))
        except Exception as error:  # Bolt relies on fields, and no listener has run yet
            log.warning(
                "something from Slack is not whole and is skipped: %s (%s)", name_of(body), type(error).__name__
            )
            return BoltResponse(status=200)

    async def _on_error(self, error: Exception, body: Json) -> BoltResponse:
        match error:
            case ValidationError():
                log.warning("something from Slack is not whole and is skipped: %s (%s)", name_of(body), fields(error))
                return BoltResponse(status=200)
            case BoltUnhandledRequestError():
                return BoltResponse(status=200)
            case StoreDown():
                log.warning("%s could not be written down, so Slack sends it again: %s", name_of(body), error)
            case _:
                log.error("%s could not be taken, so Slack sends it again: %s", name_of(body), without_words(error))
        return BoltResponse(status=503)


def name_of(body: object) -> str:
    """Return Slack's id of an event for the log. Any other field may contain words."""
    if isinstance(body, dict):
        container, view = body.get("container"), body.get("view")
        ids: Sequence[Any] = (
            body.get("event_id"),
            container.get("message_ts") if isinstance(container, dict) else None,
            view.get("id") if isinstance(view, dict) else None,
        )
        for found in ids:
            if isinstance(found, str) and _OURS.fullmatch(found):
                return found
    return "it has no id"


def _reduce(body: Json) -> Json | None:
    """Return the fields that are read, or None for what is no event or has no sender."""
    match body:
        case {"type": "event_callback", "event": {"type": str()} as event}:
            kept = {name: value for name, value in event.items() if name in _EVENT}
            body = {**body, "event": kept | {name: None for name in _TEAMS if not isinstance(kept.get(name), str)}}
        case {"type": "block_actions", "actions": [{"action_id": str()}, *_]}:
            pass
        case {"type": "view_submission" | "view_closed", "view": {"callback_id": str()} as view}:
            body = {**body, "view": {"type": "modal", **view}}
        case {"type": "message_action" | "shortcut", "callback_id": str()}:
            pass
        case {"type": "url_verification", "challenge": str()}:
            pass
        case _:
            return None
    return {name: value for name, value in body.items() if name in _BODY}
