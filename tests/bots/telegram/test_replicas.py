"""One of several services on one PostgreSQL polls Telegram at a time; another one takes its turn when it ends."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bots.conversing.health import Health
from bots.telegram.config import TelegramConfig
from bots.telegram.outage import Outage
from bots.telegram.polling import poll
from bots.telegram.service import make_bot
from core import lease
from core.i18n import LANGUAGES
from core.lease import Lease, LeaseLost
from core.uptime import uptime
from tests.bots.telegram.conftest import Chatting, photo, until
from tests.bots.telegram.server import TOKEN, BotApi
from tests.bots.telegram.test_killed import Life

ROOT = Path(__file__).parents[3]
LEASE_S = 6.0  # the machine may be busy, and who keeps its lease must not lose it


@asynccontextmanager
async def replica(telegram: BotApi, url: str, seconds: float) -> AsyncIterator[Life]:
    """Run a service that holds what it holds for so many seconds, and yield it once it waits for its turn."""
    calls = telegram.calls["getMe"]
    words = (telegram.url, url, "0", "polling", str(seconds))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bots.telegram.process", *words, cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    life = Life(process)
    listening = asyncio.create_task(life.listen())
    try:
        await until(lambda: telegram.calls["getMe"] > calls)
        yield life
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await listening


async def test_a_replica_that_ends_lets_another_one_poll(telegram: BotApi, database_url: str, ann: Chatting) -> None:
    async with replica(telegram, database_url, 3600) as first:
        assert (await ann.answer(ann.person.shows(photo(), "One"))).startswith("Answer to 'One'")
        async with replica(telegram, database_url, 3600):
            await until(lambda: telegram.calls["setMyCommands"] == 2 * len(LANGUAGES))
            assert (await ann.answer(ann.person.says("Again"))).startswith("Answer to 'Again'")
            assert telegram.calls["deleteWebhook"] == 1  # at the beginning of each turn
            first.process.terminate()
            await first.process.wait()
            assert (await ann.answer(ann.person.says("Two"))).startswith("Answer to 'Two'")
    assert telegram.calls["deleteWebhook"] == 2
    assert telegram.conflicts <= 1


async def test_a_poller_that_slept_too_long_receives_nothing_and_waits_for_its_turn(
    telegram: BotApi, database_url: str, ann: Chatting
) -> None:
    async with replica(telegram, database_url, LEASE_S) as sleeper:
        await ann.answer(ann.person.shows(photo(), "One"))
        async with replica(telegram, database_url, 3600) as second:
            os.kill(sleeper.process.pid, signal.SIGSTOP)
            press = {"id": "q", "from": {"id": 7, "is_bot": False, "first_name": "Ann"}, "chat_instance": "1"}
            telegram.update(callback_query={**press, "message": ann.chat.by_bot()[0], "data": "stop"})
            await until(lambda: telegram.callback_answers)
            os.kill(sleeper.process.pid, signal.SIGCONT)
            await until(lambda: "another replica takes over" in sleeper.log)
            assert (await ann.answer(ann.person.says("Two"))).startswith("Answer to 'Two'")
            second.process.terminate()
            assert (await ann.answer(ann.person.says("Three"))).startswith("Answer to 'Three'")
    assert len(telegram.callback_answers) == 1
    assert telegram.calls["deleteWebhook"] == 3
    assert telegram.conflicts <= 2
    assert len(ann.chat.by_bot()) == 3


async def test_updates_that_came_after_the_end_of_the_lease_are_left_to_another_poller(
    telegram: BotApi, ann: Chatting
) -> None:
    received: list[object] = []

    async def receive(update: object) -> None:
        received.append(update)
        held.until = 0.0

    held = Lease("telegram:4242", "a replica", 1, uptime() + 3600)
    lease.set_current(held)
    ann.person.says("One")
    ann.person.says("Two")
    config = TelegramConfig.model_validate({"token": TOKEN, "api_url": telegram.url, "timeout_seconds": 3})
    async with make_bot(config) as bot:
        with pytest.raises(LeaseLost):
            await poll(bot, config, receive, asyncio.Event(), Outage(Health()))
    assert len(received) == 1
    assert telegram.unconfirmed == 2
