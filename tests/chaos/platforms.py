"""The platforms that stay up while the service dies: their faults, their network, and a call that kills."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
from aiohttp import web

from tests.bots.slack.server import FakeSlack
from tests.bots.slack.server import Fault as SlackFault
from tests.bots.slack.workspace import APP_TOKEN, BOT_TOKEN, SECRET
from tests.bots.telegram.server import TOKEN, BotApi
from tests.bots.telegram.server import Fault as TelegramFault
from tests.chaos.noise import CHANNEL, malformed_event, malformed_update
from tests.chaos.stubborn import StubbornWorkspace, StubbornWorld
from tests.running_time import Stalls

TELEGRAM_FAULTS: tuple[TelegramFault, ...] = ("429", "500", "garbage", "hang", "drop before", "drop after", "late")
SLACK_FAULTS = ("busy", "before", "after", "cut", "slow")
LATE_S = 1.5  # that an answer comes late, after what was asked for has been done
WRITES = (
    "send",
    "edit",
    "deleteMessage",
    "chat.",
    "files.complete",
    "setMessageReaction",
    "reactions.",
)  # how methods begin that people see
MARKS = ("setMessageReaction", "reactions.")  # how those begin that change the bot's reaction
CONFIRMS = "getUpdates"  # by which Telegram learns that the updates before are on disk
HEARD = "acknowledgement to Slack"
TABLES = {
    "telegram": """
[bots.telegram]
token = "{telegram_token}"
api_url = "{telegram_url}"
allow = "*"
receipt = false
timeout_seconds = 3
""",
    "slack": """
[bots.slack]
bot_token = "{bot_token}"
api_url = "{slack_url}"
allow = ["*"]
receipt = false
pace_seconds = 0.0
interval_seconds = 0.3
""",
}
TRANSPORTS = {  # how a platform's events come in, and what the config says then
    "telegram": {
        "polling": "",
        "webhook": 'mode = "webhook"\nwebhook_url = "https://bot.example.org/hook"\nwebhook_secret = "{hook_secret}"\n',
    },
    "slack": {"socket": 'app_token = "{app_token}"\n', "HTTP": 'signing_secret = "{secret}"\n'},
}
# After such a time, while the machine runs, whoever posted a placeholder has written it down or died of something else.
EXCUSED_S = 3.0
POSTS = ("sendMessage", "chat.postMessage", "chat.startStream")
HOOK_SECRET = "a-secret-of-the-storm"
SLACK_EVENTS = "/slack/events"
CONNECTIONS = 4  # by which Telegram posts at the same time
POST_S = 10.0  # that it waits for one to be answered
AGAIN = 0.1  # of the updates come once more, after later ones
AGAIN_S = (1.0, 5.0)


class Telegram(BotApi):
    """Posts the updates of each chat in turn, those of several chats at the same time, and some once more later."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__(strict=True, hang_s=2, late_s=LATE_S)
        self.world = StubbornWorld(strict=True)
        self.disordered = 0  # updates that were taken after a later one
        self._dice = dice
        self._latest = 0

    async def post_updates(self) -> None:
        posting: dict[str, asyncio.Task[None]] = {}
        each_anywhere = httpx.Limits(max_keepalive_connections=0)  # a balancer chooses for each connection
        async with (
            httpx.AsyncClient(trust_env=False, limits=each_anywhere, timeout=POST_S) as client,
            asyncio.TaskGroup() as group,
        ):
            while True:
                await asyncio.sleep(0.02)
                if not (self.posts and self.webhook):
                    continue
                self._drop_unwanted(self.webhook["allowed_updates"])
                for update in self._updates:
                    if len(posting) < CONNECTIONS and (chat := _chat(update)) not in posting:
                        posting[chat] = group.create_task(self._post_until_taken(client, update))
                        posting[chat].add_done_callback(lambda _, chat=chat: posting.pop(chat))  # type: ignore[misc]
                        if self._dice.random() < AGAIN:
                            group.create_task(self._post_again(client, update))

    async def _post_until_taken(self, client: httpx.AsyncClient, update: Mapping[str, Any]) -> None:
        """Or until the bot polls instead, and gets it so."""
        while self.webhook and update in self._updates:
            if await self._post(client, update):
                with suppress(ValueError):
                    self._updates.remove(dict(update))
                return
            await asyncio.sleep(0.1)

    async def _post_again(self, client: httpx.AsyncClient, update: Mapping[str, Any]) -> None:
        """As after an answer that got lost."""
        await asyncio.sleep(self._dice.uniform(*AGAIN_S))
        if self.webhook:
            await self._post(client, update)

    async def _post(self, client: httpx.AsyncClient, update: Mapping[str, Any]) -> bool:
        id = update["update_id"]
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.webhook["secret_token"]}
        address = self.posts_to + urlsplit(self.webhook["url"]).path
        try:
            answer = await client.post(address, content=json.dumps(update), headers=headers)
        except httpx.HTTPError:
            return False
        self.posted.append((id, answer.status_code))
        if answer.is_success:
            self.disordered += id < self._latest
            self._latest = max(id, self._latest)
        return answer.is_success


def _chat(update: Mapping[str, Any]) -> str:
    """Return which chat an update is of. Malformed ones without any stand in one queue."""
    for content in update.values():
        message = content.get("message", content) if isinstance(content, dict) else None
        if isinstance(message, dict) and isinstance(chat := message.get("chat"), dict):
            return str(chat.get("id"))
    return ""


@dataclass
class Slack(FakeSlack):
    """Tells when an event was acknowledged. Each copy of it goes to another service, as far as there are any; what is
    posted goes to one of the `addresses`, if there are any."""

    on_heard: Callable[[], None] = lambda: None
    addresses: Callable[[], Sequence[str]] = lambda: ()
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    apart_s: float = 0.0
    got: dict[str, set[object]] = field(default_factory=dict)  # by an event's id which connections or addresses

    @property
    def told_to_several(self) -> int:
        return sum(len(connections) > 1 for connections in self.got.values())

    async def _deliver(self, kind: str, payload: Any) -> None:
        await asyncio.sleep(self.dice.uniform(0, self.apart_s))
        await super()._deliver(kind, payload)

    async def _send(self, kind: str, payload: Any, attempt: int) -> bool:
        self.dice.shuffle(self._sockets)  # the last one that lives gets it
        if self._sockets and (got := self._got(payload)) is not None:
            self._sockets.sort(key=lambda socket: id(socket) not in got)
            got.add(id(self._sockets[-1]))
        return self._heard(await super()._send(kind, payload, attempt))

    async def _post(self, kind: str, payload: Any, attempt: int, secret: str = SECRET) -> bool:
        if addresses := self.addresses():
            got = self._got(payload)
            address = self.dice.choice([each for each in addresses if each not in (got or ())] or addresses)
            self.http_url = address + SLACK_EVENTS  # it is read before anything else can run
            if got is not None:
                got.add(address)
        return self._heard(await super()._post(kind, payload, attempt, secret))

    def _got(self, payload: Any) -> set[object] | None:
        """Return who got an event up to now. What is malformed may have no id."""
        event = payload.get("event_id") if isinstance(payload, dict) else None
        return self.got.setdefault(event, set()) if isinstance(event, str) else None

    def _heard(self, heard: bool) -> bool:
        if heard:
            self.on_heard()
        return heard


class Platforms:
    """Of the platforms that were chosen, `faults` of all calls fail. `on_step` is told of each write before it happens,
    and of each acknowledgement when it has come."""

    def __init__(self, platforms: Sequence[str], dice: random.Random) -> None:
        self.telegram = Telegram(dice)
        self.slack = Slack(StubbornWorkspace(), dice=random.Random(dice.random()))
        self.slack.on_heard = lambda: self.step(HEARD)
        self.slack.workspace.channels[CHANNEL] = []
        self.faults = 0.0  # of all calls
        self.is_slow = False
        self.on_step: Callable[[str], None] = lambda step: None
        self.failed: Counter[str] = Counter()
        self.failed_marks = 0  # of these the calls about the bot's reactions
        self.steps: set[str] = set()  # that there were
        self.noise: Counter[str] = Counter()  # malformed events, by platform
        self._platforms = platforms
        self._dice = dice
        self._failed_posts: list[float] = []  # by the monotonic clock
        self._silent: list[float] = []  # when a service died, slept, or could not write anything down
        self.stalls = Stalls()

    async def __aenter__(self) -> "Platforms":
        self._stack = AsyncExitStack()
        await self._stack.enter_async_context(self.telegram)
        await self._stack.enter_async_context(self.slack)
        self._background = [asyncio.create_task(work) for work in (self._post_updates(), self.stalls.watch())]
        self._stack.push_async_callback(self._stop_background)
        self.telegram.trouble = self._on_telegram
        self.slack.fault = self._on_slack
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def tables(self, web: str, transports: dict[str, str]) -> str:
        """Of the config file, for events that come in by these transports. `web` is the web adapter's address."""
        values = {"telegram_token": TOKEN, "bot_token": BOT_TOKEN, "app_token": APP_TOKEN, "secret": SECRET}
        values |= {"telegram_url": self.telegram.url, "slack_url": self.slack.api_url, "hook_secret": HOOK_SECRET}
        self.telegram.posts_to = web
        self.slack.http_url = web + SLACK_EVENTS if transports.get("slack") == "HTTP" else None
        texts = [
            TABLES[platform] + TRANSPORTS[platform][transports[platform]]
            for platform in self._platforms
            if platform in TABLES
        ]
        return "".join(texts).format(**values)

    def draw(self, dice: random.Random) -> dict[str, str]:
        """A transport for each platform that has several."""
        return {
            platform: dice.choice(list(kinds)) for platform, kinds in TRANSPORTS.items() if platform in self._platforms
        }

    def disturb(self) -> None:
        """Something malformed arrives at a platform."""
        platform = self._dice.choice([platform for platform in self._platforms if platform in TABLES] or [""])
        if platform == "telegram":
            self.telegram.update(**malformed_update(self._dice))
        elif platform == "slack":
            self.slack.sends(*malformed_event(self._dice))
        self.noise[platform] += bool(platform)

    @property
    def unheard(self) -> dict[str, int]:
        """Events that were not acknowledged yet, by platform."""
        return {"telegram": self.telegram.unconfirmed, "slack": len(self.slack._deliveries)}

    def step(self, name: str) -> None:
        self.steps.add(name)
        self.on_step(name)

    def excuse(self) -> None:
        """Whoever posted something just now may never have learned of it, or have written it down."""
        self._silent.append(time.monotonic())

    def is_excused(self, posted: float) -> bool:
        """Whether something went wrong around that moment, so that nobody could know of what was posted."""
        moments = (*self._failed_posts, *self._silent)
        return any(self.stalls.seconds_between(posted, moment) <= EXCUSED_S for moment in moments)

    def is_untold(self, chat_id: int, message_id: int, posted: float) -> bool:
        """Whether Telegram's reply to this very post got lost, or whoever wrote it may have died right after it."""
        later = [moment for moment in self._silent if posted <= moment]
        died = any(self.stalls.seconds_between(posted, moment) <= EXCUSED_S for moment in later)
        return died or (chat_id, message_id) in self.telegram.untold

    @property
    def calls(self) -> Counter[str]:
        made = Counter({"telegram": self.telegram.calls.total(), "slack": self.slack.workspace.calls.total()})
        return Counter({platform: count for platform, count in made.items() if platform in self._platforms})

    async def cut_network(self) -> None:
        """Every connection ends, and no new one is taken, until `mend_network`."""
        self.excuse()
        for runner in self._runners:
            for site in list(runner.sites):
                await site.stop()
            server: Any = runner.server
            for connection in server.connections:
                if connection.transport is not None:
                    connection.transport.abort()

    async def mend_network(self) -> None:
        for runner, port in zip(self._runners, (self.telegram.port, self.slack.port), strict=True):
            site = web.TCPSite(runner, "127.0.0.1", port)
            while True:
                try:
                    await site.start()
                    break
                except OSError:  # somebody's outgoing connection has been given this port meanwhile
                    await site.stop()
                    site = web.TCPSite(runner, "127.0.0.1", port)
                    await asyncio.sleep(0.05)

    @property
    def _runners(self) -> tuple[web.AppRunner, web.AppRunner]:
        return self.telegram.runner, self.slack.runner

    async def _post_updates(self) -> None:
        """For as long as a webhook is set, whether anybody is there or not."""
        await self.telegram.post_updates()

    async def _stop_background(self) -> None:
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    def _on_telegram(self, method: str) -> TelegramFault | None:
        if self._fails("telegram", method):
            return self._dice.choice(TELEGRAM_FAULTS)
        return "late" if self.is_slow else None

    def _on_slack(self, method: str) -> SlackFault | None:
        if method == "auth.test":
            return None
        if self._fails("slack", method):
            kind = self._dice.choice(SLACK_FAULTS)
            return SlackFault(kind, LATE_S if kind == "slow" else 0.0)
        return SlackFault("slow", LATE_S) if self.is_slow else None

    def _fails(self, platform: str, method: str) -> bool:
        if method.startswith(WRITES) or method == CONFIRMS:
            self.step(method)
        fails = self._dice.random() < self.faults
        self.failed[platform] += fails
        self.failed_marks += fails and method.startswith(MARKS)
        if fails and method in POSTS:
            self._failed_posts.append(time.monotonic())
        return fails
