"""How the platforms of a storm reach several services."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from aiohttp import web

from tests.bots.telegram.person import Person
from tests.chaos import platforms
from tests.chaos.platforms import SLACK_EVENTS, Platforms, Slack, Telegram
from tests.chaos.stubborn import StubbornWorkspace

WEBHOOK = {"url": "https://bot.test/hook", "secret_token": "x", "allowed_updates": ["message"]}


class Services:
    """Take what is posted. Of the first one so many calls are answered with an error."""

    def __init__(self, failing: int = 0) -> None:
        self.failing = failing
        self.taken: list[tuple[int, dict[str, Any]]] = []  # the port, and what came there
        self.ports: list[int] = []

    async def take(self, request: web.Request) -> web.Response:
        if self.failing:
            self.failing -= 1
            return web.Response(status=503)
        assert request.url.port
        self.taken.append((request.url.port, await request.json()))
        return web.Response()

    @asynccontextmanager
    async def running(self, count: int) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_post("/{path:.*}", self.take)
        runner = web.AppRunner(app, shutdown_timeout=0.01)
        await runner.setup()
        for _ in range(count):
            await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.ports = [address[1] for address in runner.addresses]
        try:
            yield
        finally:
            await runner.cleanup()


async def test_telegram_posts_in_order_within_a_chat_only_and_some_updates_again_after_later_ones() -> None:
    services = Services(failing=2)
    telegram = Telegram(random.Random(2))
    async with services.running(1), telegram:
        people = [Person(telegram, telegram.world.chat(number), number) for number in (1, 2, 3)]
        for word in ("one", "two", "three", "four"):
            for person in people:
                person.says(word)
        telegram.posts_to = f"http://127.0.0.1:{services.ports[0]}"
        telegram.webhook = WEBHOOK
        posting = asyncio.create_task(telegram.post_updates())
        async with asyncio.timeout(30):
            while telegram.unconfirmed or len(services.taken) <= 12:
                await asyncio.sleep(0.01)
        posting.cancel()
        await asyncio.gather(posting, return_exceptions=True)
    ids = [update["update_id"] for _, update in services.taken]
    assert len({*ids}) == 12 < len(ids), "some come again"
    for person in people:
        said = [each["message"] for _, each in services.taken if each["message"]["chat"]["id"] == person.chat.id]
        assert list(dict.fromkeys(message["text"] for message in said)) == ["one", "two", "three", "four"]
    assert telegram.disordered > 0


async def test_telegram_goes_on_posting_where_the_bot_polled_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platforms, "AGAIN", 1.0)
    monkeypatch.setattr(platforms, "AGAIN_S", (0.0, 0.0))
    telegram, webhook = Telegram(random.Random(1)), WEBHOOK

    class Polling(Services):
        async def take(self, request: web.Request) -> web.Response:
            if self.failing:
                telegram.webhook = {}
            return await super().take(request)

    services = Polling(failing=2)
    async with services.running(1), telegram:
        person = Person(telegram, telegram.world.chat(1), 1)
        person.says("one")
        telegram.posts_to, telegram.webhook = f"http://127.0.0.1:{services.ports[0]}", webhook
        posting = asyncio.create_task(telegram.post_updates())
        async with asyncio.timeout(30):
            while services.failing:
                await asyncio.sleep(0.01)
        telegram.take_update()  # by polling
        person.says("two")
        telegram.webhook = webhook
        async with asyncio.timeout(30):
            while telegram.unconfirmed:
                await asyncio.sleep(0.01)
        posting.cancel()
        await asyncio.gather(posting, return_exceptions=True)
    assert {each["message"]["text"] for _, each in services.taken} == {"two"}


async def test_telegram_posts_nothing_once_the_bot_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platforms, "AGAIN_S", (0.0, 0.0))
    telegram = Telegram(random.Random(1))
    telegram.repeat(update := {"update_id": 1})
    async with httpx.AsyncClient(timeout=60) as client:
        await telegram._post_again(client, update)
        await telegram._post_until_taken(client, update)
    assert (telegram.posted, telegram.unconfirmed) == ([], 1)


def test_a_stall_of_the_machine_uses_up_no_excuse() -> None:
    platforms = Platforms(["telegram"], random.Random(1))
    platforms.excuse()
    [died] = platforms._silent
    assert platforms.is_excused(died - 1) and not platforms.is_excused(died - 5)
    assert not platforms.is_untold(1, 1, died - 5)
    platforms.stalls.note(died - 4.5, died - 0.5)
    assert platforms.is_excused(died - 5) and platforms.is_untold(1, 1, died - 5)
    assert not platforms.is_excused(died - 9)


async def test_each_copy_of_an_event_of_slack_is_posted_to_another_service() -> None:
    services = Services()
    slack = Slack(StubbornWorkspace())
    async with services.running(3), slack:
        slack.http_url = f"http://127.0.0.1:1{SLACK_EVENTS}"
        slack.addresses = lambda: [f"http://127.0.0.1:{port}" for port in services.ports]
        slack.copies = 3
        slack.says("hello", channel="D0ANN")
        await slack.settled()
    assert {port for port, _ in services.taken} == {*services.ports}
    assert len({event["event_id"] for _, event in services.taken}) == 1
    assert slack.told_to_several == 1
