"""Call Slack's Web API, and turn Slack's errors into ours. Knows no conversation."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from io import BytesIO
from types import TracebackType
from typing import Any, NoReturn, TypeVar

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.conversing.backoff import Backoff
from bots.conversing.delivery_errors import RetryLater, WriteFailed
from bots.conversing.health import Health
from bots.conversing.proxy import Proxies
from bots.slack.access import DOUBTFUL, WISHES, Access, AccessLost, Declined, granted
from bots.slack.connector import Connector
from bots.slack.rate_limit import CALLS_PER_MINUTE, Budget
from core.errors import BotError, OperatorError

log = logging.getLogger(__name__)
Method = Callable[..., Awaitable[AsyncSlackResponse]]
Result = TypeVar("Result")
BUSY = frozenset(
    "internal_error fatal_error service_unavailable request_timeout team_added_to_org messaging_processing_failed "
    "update_failed external_channel_migrating".split()
)


class Unclear(WriteFailed):
    """It is unknown whether Slack has done it: the reply got lost, or it failed half-way."""


class SlackApi:
    """Slack's API. Open it with `async with`.

    `team`, `bot` (user id), `bot_id` and the `missing` scopes are known after `introduce`.
    """

    def __init__(
        self, bot_token: str, api_url: str, pace: float, health: Health, proxies: Proxies | None = None
    ) -> None:
        self.token = bot_token
        self._proxies = proxies or Proxies()
        self.url = api_url if api_url.endswith("/") else f"{api_url}/"
        self._pace = pace  # seconds between two new messages in a channel
        self._next_posts: dict[str, float] = {}  # channel -> loop time of the next allowed write
        self._failures = 0  # in a row
        self._backoff = Backoff()
        self.budget = Budget(CALLS_PER_MINUTE if pace else {})
        self.access = Access(lambda: self.ask(self.client.auth_test), health)
        self.team = self.bot = self.bot_id = self.name = ""
        self.missing: list[str] = []  # optional scopes

    async def __aenter__(self) -> "SlackApi":
        # The SDK would make a session per call, and its retries would post a message twice when a reply got lost.
        self.session = aiohttp.ClientSession(
            connector=Connector(self._proxies),
            timeout=aiohttp.ClientTimeout(total=30),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self.client = AsyncWebClient(self.token, base_url=self.url, session=self.session, retry_handlers=[])
        # Bolt and Socket Mode bring their tokens themselves.
        self.bare_client = AsyncWebClient(None, base_url=self.url, session=self.session, retry_handlers=[])
        for client in (self.client, self.bare_client):
            client.proxy = None  # which the SDK takes from the environment; the connector knows better
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.session.close()

    async def introduce(self) -> None:
        """Check the token and its scopes. Raises `OperatorError` for a bad token or a missing scope that is required.

        A token that worked before in this process is waited for instead.
        """
        while True:
            try:
                answer = await patiently(self.access.examine)
                break
            except OperatorError as error:
                if not self.access.has_worked:
                    raise
                self.access.fails("token", str(error))
                await asyncio.sleep(self._backoff.next_pause())
        self.team, self.bot, self.bot_id = answer["team_id"], answer["user_id"], answer.get("bot_id", "")
        self.name = answer.get("user", "")
        if not self.bot_id:
            raise OperatorError("bot_token is not a bot's token: it has to begin with xoxb-.")
        self.access.works("token")
        self.missing = sorted(WISHES.keys() - granted(answer)) if granted(answer) else []

    async def call(self, method: Method, **arguments: Any) -> AsyncSlackResponse:
        """Call a method of `client`.

        Raises `RetryLater` (`Unclear` if it may have happened, `AccessLost` while the token is refused) or `Declined`,
        which is about this request only.
        """
        self.access.check()
        try:
            return await self.ask(method, **arguments)
        except Declined as declined:
            if declined.error in DOUBTFUL:
                await self.access.doubt()
            raise

    async def ask(self, method: Method, **arguments: Any) -> AsyncSlackResponse:
        """Call as `call` does, without checking the bot's token. For other tokens, or to test a token."""
        self.budget.spend(method.__name__)
        try:
            answer = await method(**arguments)
        except SlackApiError as error:
            self._translate(error, method.__name__)
        except (aiohttp.ClientError, SlackClientError, TimeoutError, OSError) as error:
            raise self.unclear(type(error).__name__) from error
        self._failures = 0
        return answer

    async def wait_to_post(self, channel: str) -> None:
        """Wait until a new message may be posted in the channel. Slack accepts about one a second."""
        now = asyncio.get_running_loop().time()
        self._next_posts = {name: time for name, time in self._next_posts.items() if time > now}
        start = self._next_posts.get(channel, now)
        self._next_posts[channel] = start + self._pace
        await asyncio.sleep(start - now)

    async def upload(self, name: str, data: bytes) -> str:
        """Upload a file that stays invisible until a message carries it, and return its id. Raises as `call` does."""
        answer = await self.call(self.client.files_getUploadURLExternal, filename=name, length=len(data))
        try:
            async with self.session.post(answer["upload_url"], data=BytesIO(data)) as uploaded:
                if uploaded.status != 200:
                    raise self.unclear(f"HTTP {uploaded.status}")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self.unclear(type(error).__name__) from error
        file_id = str(answer["file_id"])
        complete = self.client.files_completeUploadExternal
        await self.call(complete, files=[{"id": file_id, "title": name}])
        return file_id

    def _translate(self, error: SlackApiError, method: str) -> NoReturn:
        response = error.response
        data = response.data if isinstance(response, AsyncSlackResponse) and isinstance(response.data, dict) else {}
        status = response.status_code if isinstance(response, AsyncSlackResponse) else 500
        word = str(data.get("error", ""))
        if status == 429 or word in ("ratelimited", "rate_limited"):
            seconds = retry_after(response.headers)
            self.budget.slow_down(method, seconds)
            raise RetryLater(seconds) from error
        if status >= 500 or not word or word in BUSY:
            raise self.unclear(word or f"HTTP {status}") from error
        self._failures = 0
        raise Declined(word) from error

    def unclear(self, reason: str) -> Unclear:
        self._failures = min(self._failures + 1, 8)
        seconds = min(0.1 * 2**self._failures, 30.0)
        log.info("Slack does not answer (%s), again in %.1f s", reason, seconds)
        return Unclear(seconds)


async def patiently(request: Callable[[], Awaitable[Result]], attempts: int = 8) -> Result:
    """Await `request()`, again after each `RetryLater`. Waits for the end of an outage.

    Raises `BotError` if Slack stays away.
    """
    failures = 0
    while failures < attempts:
        try:
            return await request()
        except RetryLater as later:
            failures += not isinstance(later, AccessLost)
            await asyncio.sleep(later.seconds)
    raise BotError("Slack does not answer me at the moment. Please try again in a few minutes.")


def retry_after(headers: Mapping[str, str]) -> float:
    seconds = headers.get("Retry-After", "")
    return float(seconds) if seconds.isdigit() else 10.0
