"""Kills a service at random moments and between any two of its writes, and counts what people saw of it."""

import asyncio
import random
import socket
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.bots.slack.server import FakeSlack, Fault
from tests.bots.slack.workspace import APP_TOKEN, BOT_TOKEN
from tests.bots.telegram.server import TOKEN, BotApi
from tests.bots.telegram.server import Fault as TelegramFault
from tests.chaos.people import QUESTIONS, OnSlack, OnTelegram, OnTheWeb, Person

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "core" / "demo" / "samples" / "invoice.png"
START_S, PATIENCE_S = 90.0, 240.0  # the machine may be busy

CONFIG = """
[core.engine]
model = "demo"
cache = "{folder}/cache"
cache_limit = 0.2
[core.quota]
questions_per_minute = 0
questions_per_day = 0
pictures_per_minute = 0
at_once = 0
[storage]
url = "sqlite+aiosqlite:///{folder}/answers.db"
[bots.log]
level = "ERROR"
[bots.web]
port = {port}
[bots.telegram]
token = "{telegram_token}"
api_url = "{telegram_url}"
allow = "*"
receipt = false
timeout = 3
[bots.slack]
bot_token = "{bot_token}"
app_token = "{app_token}"
api_url = "{slack_url}"
allow = ["*"]
receipt = false
pace = 0.0
interval = 0.3
"""


@dataclass
class Report:
    """Per door: questions, answers that stand there exactly once, whole and in order, and what went wrong."""

    kills: Counter[str] = field(default_factory=Counter)  # by the moment that was chosen
    questions: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)  # not the words of a calm day, or not in the order asked

    def judge(self, person: Person, expected: Sequence[str]) -> None:
        found = person.answers()
        self.questions[person.door] += len(expected)
        if list(found) == list(expected):
            self.answered[person.door] += len(expected)
        elif len(found) < len(expected):
            self.lost.append(f"{person.door}: {found}")
        elif len(found) > len(expected):
            self.doubled.append(f"{person.door}: {found}")
        else:
            self.different.append(f"{person.door}: {found}")

    def __str__(self) -> str:
        lines = ["| door | questions | answered once, whole, in order |", "|---|---|---|"]
        lines += [f"| {door} | {count} | {self.answered[door]} |" for door, count in sorted(self.questions.items())]
        kills = ", ".join(f"{count} {moment}" for moment, count in sorted(self.kills.items()))
        counts = f"lost {len(self.lost)}, doubled {len(self.doubled)}, different or out of order {len(self.different)}"
        return "\n".join([*lines, "", f"{sum(self.kills.values())} kills ({kills}); {counts}"])


class Weather:
    """The fake platforms, the service between them as a process, and who dies when."""

    def __init__(self, folder: Path, seed: int = 1, faults: float = 0.1) -> None:
        self.report = Report()
        self._folder = folder
        self._dice = random.Random(seed)
        self._faults = faults
        self._process: asyncio.subprocess.Process | None = None
        self._armed = ""  # a moment at which the next call of a platform kills the service
        self._killed = asyncio.Event()
        self._people: list[tuple[Person, Sequence[str]]] = []

    async def blow(self, kills: int) -> Report:
        """A calm day first, which tells what the answers are; then `kills` kills with people asking all the time."""
        async with BotApi(strict=True, hang_s=2) as telegram, FakeSlack() as slack:
            port = _free_port()
            self._url = f"http://127.0.0.1:{port}"
            self._write_config(telegram, slack, port)
            await self._start()
            expected = await self._calm_day(telegram, slack)
            telegram.trouble = self._on_telegram
            slack.fault = self._on_slack
            slack.copies = 2
            for number in range(kills):
                for person in _three(telegram, slack, self._url, number + 1):
                    person.ask(SAMPLE.read_bytes())
                    self._people.append((person, expected))
                await self._kill()
                await self._start()
            await self._wait()
            await self._end()
        for person, answers in self._people:
            self.report.judge(person, answers)
        return self.report

    async def _calm_day(self, telegram: BotApi, slack: FakeSlack) -> Sequence[str]:
        people = _three(telegram, slack, self._url, 0)
        for person in people:
            person.ask(SAMPLE.read_bytes())
        async with asyncio.timeout(PATIENCE_S):
            while any(len(person.answers()) < len(QUESTIONS) for person in people):
                await asyncio.sleep(0.1)
        first, *others = [person.answers() for person in people]
        assert all(answers == first for answers in others), "the doors disagree"
        return first

    async def _kill(self) -> None:
        moment = self._dice.choice(["at random", "at random", "before a write", "after a write", "while starting"])
        if moment != "while starting":
            await self._ready()
        self._killed.clear()
        if moment.endswith("a write"):
            self._armed = moment
            with suppress(TimeoutError):
                await asyncio.wait_for(self._killed.wait(), 5)
            self._armed = ""
        else:
            await asyncio.sleep(self._dice.uniform(0, 2.5))
            if self._dice.random() < 0.2:
                await asyncio.to_thread(self._hold_database)
        await self._end()
        self.report.kills[moment] += 1

    def _hold_database(self) -> None:
        """Somebody else writes for a while, a backup for example."""
        with suppress(sqlite3.OperationalError):
            connection = sqlite3.connect(self._folder / "answers.db", timeout=1)
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(0.7)
            connection.rollback()
            connection.close()

    def _on_telegram(self, method: str) -> TelegramFault | None:
        if method.startswith(("send", "edit")):
            self._perhaps_die()
        if self._dice.random() < self._faults:
            return self._dice.choice(("429", "500", "drop before", "drop after"))
        return None

    def _on_slack(self, method: str) -> Fault | None:
        if method.startswith("chat."):
            self._perhaps_die()
        if self._dice.random() < self._faults and method != "auth.test":
            return Fault(self._dice.choice(("busy", "before", "after", "cut")))
        return None

    def _perhaps_die(self) -> None:
        """Just before the platform does what it was asked to, or as soon as it has."""
        if not self._armed or self._process is None or self._process.returncode is not None:
            return
        if self._armed == "before a write":
            self._process.kill()
            self._killed.set()
        else:
            asyncio.get_running_loop().call_later(self._dice.uniform(0, 0.02), self._process.kill)
            asyncio.get_running_loop().call_later(0.03, self._killed.set)
        self._armed = ""

    async def _start(self) -> None:
        command = (sys.executable, "-m", "bots", "run", "--config", str(self._folder / "config.toml"))
        self._process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)

    async def _ready(self) -> None:
        async with asyncio.timeout(START_S), httpx.AsyncClient() as client:
            while True:
                with suppress(httpx.HTTPError):
                    if (await client.get(f"{self._url}/readyz")).status_code == 200:
                        return
                if self._process is not None and self._process.returncode not in (None, -9):
                    raise RuntimeError(f"the service ended by itself with {self._process.returncode}")
                await asyncio.sleep(0.1)

    async def _end(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def _wait(self) -> None:
        """Until everybody has their answers, or nothing has come for a long time."""
        loop = asyncio.get_running_loop()
        known, since = -1, loop.time()
        while loop.time() - since < PATIENCE_S:
            complete = sum(len(person.answers()) >= len(QUESTIONS) for person, _ in self._people)
            if complete == len(self._people):
                break
            if complete != known:
                known, since = complete, loop.time()
            await asyncio.sleep(0.5)
        await asyncio.sleep(2)  # a second answer would come now
        for person, _ in self._people:
            if isinstance(person, OnTheWeb):
                await person.close()

    def _write_config(self, telegram: BotApi, slack: FakeSlack, port: int) -> None:
        text = CONFIG.format(
            folder=self._folder,
            port=port,
            telegram_token=TOKEN,
            telegram_url=telegram.url,
            bot_token=BOT_TOKEN,
            app_token=APP_TOKEN,
            slack_url=slack.api_url,
        )
        (self._folder / "config.toml").write_text(text, "utf-8")


def _three(telegram: BotApi, slack: FakeSlack, url: str, number: int) -> list[Person]:
    return [OnTelegram(telegram, number), OnSlack(slack, number), OnTheWeb(url, number)]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
