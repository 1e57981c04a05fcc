"""Check whether Slack accepts the bot's token and scopes. An outage of one channel is not the platform's.

Slack uses the same words for both. So they are believed about the token only if `auth.test` agrees. Then all requests
wait, the operator is told, and Slack is asked with growing pauses until it accepts the token.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.conversing.backoff import Backoff
from bots.conversing.delivery_errors import Refused, RetryLater
from bots.conversing.health import Health
from core.errors import OperatorError

log = logging.getLogger(__name__)

SCOPES = frozenset(  # what the manifest asks for and the bot cannot do without
    "app_mentions:read chat:write files:read channels:history groups:history im:history mpim:history".split()
)
WISHES = {
    "assistant:write": "no status line and no Stop of Slack's",
    "commands": "no shortcut to ask about somebody's picture",
    "files:write": "no drawn boxes, tables or transcripts",
    "reactions:read": "no thumbs, where answers may be rated",
    "reactions:write": "no 👀 at questions until they are answered",
    "users:read": "people's languages stay unknown",
}
DOUBTFUL = frozenset(  # errors that may be about the token
    "invalid_auth not_authed account_inactive token_revoked token_expired no_permission org_login_required "
    "ekm_access_denied team_access_not_granted not_allowed_token_type missing_scope".split()
)


class Declined(Refused):
    """Slack refuses, and will refuse again. `error` is its word for the reason."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class AccessLost(RetryLater):
    """Slack can be asked nothing until the operator has repaired something."""


class Access:
    """The token's state. `ask` is auth.test; it raises `RetryLater` and `Declined`."""

    def __init__(self, ask: Callable[[], Awaitable[AsyncSlackResponse]], health: Health) -> None:
        self._ask = ask
        self._health = health
        self._refused: OperatorError | None = None
        self._lost = asyncio.Event()
        self._backoff = Backoff()
        self._pause = 0.0
        self._asking = asyncio.Lock()
        self._problems = {"way in": "It is being started."}  # part that does not work -> reason

    async def examine(self) -> AsyncSlackResponse:
        """Return Slack's word on the token. Raises `OperatorError` if it is bad or lacks a scope, and `RetryLater`."""
        try:
            answer = await self._ask()
        except Declined as declined:
            raise OperatorError(
                "Slack does not accept the token ({error}). Copy it from api.slack.com/apps: bot_token (xoxb-) is "
                "under OAuth & Permissions, app_token (xapp-) under Basic Information.",
                error=declined.error,
            ) from declined
        if missing := sorted(SCOPES - granted(answer)) if granted(answer) else []:
            raise OperatorError(
                "Slack has not granted this app: {scopes}. Add it on api.slack.com/apps under OAuth & Permissions "
                "(bots/slack_manifest.yaml has all), then reinstall the app to the workspace.",
                scopes=", ".join(missing),
            )
        return answer

    def check(self) -> None:
        """Raise `AccessLost` while the token is refused."""
        if self._refused is not None:
            raise AccessLost(self._pause)

    async def doubt(self) -> None:
        """Check the token after an error that may be about it. Raises `AccessLost` if it is refused."""
        async with self._asking:
            self.check()
            try:
                await self.examine()
            except OperatorError as error:
                self._refused, self._pause = error, self._backoff.next_pause()
                self.fails("token", str(error))
                self._lost.set()
            self.check()

    async def watch(self) -> None:
        """Work until cancelled: whenever the token is refused, ask again until it is accepted."""
        while True:
            await self._lost.wait()
            await asyncio.sleep(self._pause)
            try:
                await self.examine()
            except OperatorError as error:
                self.fails("token", str(error))
                self._pause = self._backoff.next_pause()
            except RetryLater as later:
                self._pause = max(later.seconds, self._backoff.next_pause())
            else:
                self._refused = None
                self._lost.clear()
                self._backoff.reset()
                self.works("token")

    @property
    def has_worked(self) -> bool:
        return self._health.has_worked("slack")

    def fails(self, part: str, reason: str) -> None:
        """Note a failure that is retried. The platform is down if it lasts."""
        log.info("Slack's %s fails: %s", part, reason)
        self._problems[part] = reason
        self._health.record_failure("slack", reason)

    def works(self, part: str) -> None:
        self._problems.pop(part, None)
        if not self._problems:
            self._health.mark_working("slack")


def granted(answer: AsyncSlackResponse) -> set[str]:
    """Return the token's scopes, or none if Slack does not tell."""
    return {scope.strip() for scope in answer.headers.get("x-oauth-scopes", "").split(",")} - {""}
