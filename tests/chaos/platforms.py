"""The platforms that stay up while the service dies: their faults, their network, and a call that kills."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from aiohttp import web

from tests.bots.slack.server import FakeSlack
from tests.bots.slack.server import Fault as SlackFault
from tests.bots.slack.workspace import APP_TOKEN, BOT_TOKEN
from tests.bots.telegram.server import TOKEN, BotApi
from tests.bots.telegram.server import Fault as TelegramFault

TELEGRAM_FAULTS: tuple[TelegramFault, ...] = ("429", "500", "garbage", "hang", "drop before", "drop after")
SLACK_FAULTS = ("busy", "before", "after", "cut")
WRITES = ("send", "edit", "delete", "chat.", "files.complete")  # how methods begin that people see something of
TABLES = {
    "telegram": """
[bots.telegram]
token = "{telegram_token}"
api_url = "{telegram_url}"
allow = "*"
receipt = false
timeout = 3
""",
    "slack": """
[bots.slack]
bot_token = "{bot_token}"
app_token = "{app_token}"
api_url = "{slack_url}"
allow = ["*"]
receipt = false
pace = 0.0
interval = 0.3
""",
}


class Platforms:
    """Of the doors that were chosen, `faults` of all calls fail. `on_write` is told of each write before it happens."""

    def __init__(self, doors: Sequence[str], dice: random.Random) -> None:
        self.telegram = BotApi(strict=True, hang_s=2)
        self.slack = FakeSlack()
        self.faults = 0.0  # of all calls
        self.on_write: Callable[[], None] = lambda: None
        self.failed: Counter[str] = Counter()
        self._doors = doors
        self._dice = dice

    async def __aenter__(self) -> "Platforms":
        self._stack = AsyncExitStack()
        await self._stack.enter_async_context(self.telegram)
        await self._stack.enter_async_context(self.slack)
        self.telegram.trouble = self._on_telegram
        self.slack.fault = self._on_slack
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def tables(self) -> str:
        """Of the config file."""
        values = {"telegram_token": TOKEN, "bot_token": BOT_TOKEN, "app_token": APP_TOKEN}
        values |= {"telegram_url": self.telegram.url, "slack_url": self.slack.api_url}
        return "".join(TABLES[door].format(**values) for door in self._doors if door in TABLES)

    @property
    def calls(self) -> Counter[str]:
        made = Counter({"telegram": self.telegram.calls.total(), "slack": self.slack.workspace.calls.total()})
        return Counter({door: count for door, count in made.items() if door in self._doors})

    async def cut_network(self) -> None:
        """Every connection ends, and no new one is taken, until `mend_network`."""
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

    def _on_telegram(self, method: str) -> TelegramFault | None:
        return self._dice.choice(TELEGRAM_FAULTS) if self._fails("telegram", method) else None

    def _on_slack(self, method: str) -> SlackFault | None:
        if method == "auth.test":
            return None
        return SlackFault(self._dice.choice(SLACK_FAULTS)) if self._fails("slack", method) else None

    def _fails(self, door: str, method: str) -> bool:
        if method.startswith(WRITES):
            self.on_write()
        fails = self._dice.random() < self.faults
        self.failed[door] += fails
        return fails
