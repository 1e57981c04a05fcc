"""Telegram posts updates to the web page's server: who may, what comes back, and what Telegram has to post again."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from bots.config import load
from bots.telegram import webhook
from core.errors import OperatorError, StoreDown
from storage.store import Store
from tests.bots.telegram.conftest import SECRET, Chatting, photo, service, until
from tests.bots.telegram.server import BotApi
from tests.fakes import ScriptedEngine

RIGHT = {"X-Telegram-Bot-Api-Secret-Token": SECRET}


@asynccontextmanager
async def posting(
    telegram: BotApi, folder: Path, engine: ScriptedEngine, **page: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who posts to the webhook's address in Telegram's place."""
    telegram.posts = False
    async with service(telegram, folder, engine, webhook=True, page=page):
        await until(lambda: telegram.webhook.get("secret_token") == SECRET)
        async with httpx.AsyncClient(base_url=telegram.posts_to, timeout=60) as client:
            yield client


async def test_the_webhook_takes_updates_with_its_secret_only(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting
) -> None:
    async with posting(telegram, tmp_path, engine) as client:
        question = ann.person.shows(photo(), "One")
        update = telegram.take_update()
        for wrong in ({}, {"X-Telegram-Bot-Api-Secret-Token": "wrong"}, {"X-Telegram-Bot-Api-Secret-Token": "é" * 16}):
            headers = [(name.encode(), value.encode()) for name, value in wrong.items()]
            assert (await client.post("/hook", json=update, headers=headers)).status_code == 403
        for _ in range(2):
            assert (await client.post("/hook", json=update, headers=RIGHT)).status_code == 200
        assert (await ann.answer(question)).startswith("Answer to 'One' about [1]")
        assert len(ann.chat.by_bot()) == 1
    assert telegram.calls["getUpdates"] == 0
    assert telegram.webhook["url"] == "https://bot.example.org/hook"


async def test_the_secret_opens_this_one_address_and_nothing_else_of_the_page(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting
) -> None:
    """Telegram comes under the public name, and knows no token of the page."""
    headers = {**RIGHT, "Host": "bot.example.org"}
    async with posting(telegram, tmp_path, engine, token="the-pages-token") as client:
        question = ann.person.shows(photo(), "One")
        assert (await client.post("/hook", json=telegram.take_update(), headers=headers)).status_code == 200
        assert (await ann.answer(question)).startswith("Answer to 'One'")
        assert (await client.get("/hook", headers=RIGHT)).status_code == 401
        assert (await client.post("/api/v1/analyze", headers=RIGHT)).status_code == 401
        assert (await client.post("/hook/", headers=RIGHT)).status_code == 401
    async with httpx.AsyncClient(base_url=telegram.posts_to, timeout=60) as client:
        with pytest.raises(httpx.ConnectError):
            await client.post("/hook", json={}, headers=RIGHT)


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b"[]", b"null", b"{}", b" " * 2_000_000])
async def test_what_is_no_update_is_answered_with_200_and_one_line(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with posting(telegram, tmp_path, engine) as client:
        caplog.clear()
        assert (await client.post("/hook", content=body, headers=RIGHT)).status_code == 200
    [line] = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "is skipped" in line
    assert "\n" not in line


async def test_what_cannot_be_written_down_is_posted_again_by_telegram(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, failures = Store.put, [StoreDown("The disk is full."), StoreDown("The disk is full.")]

    async def fails(self: Store, *values: Any) -> Any:
        if failures:
            raise failures.pop()
        return await put(self, *values)

    monkeypatch.setattr(Store, "put", fails)
    async with service(telegram, tmp_path, engine, webhook=True):
        assert (await ann.answer(ann.person.shows(photo(), "One"))).startswith("Answer to 'One'")
        await until(lambda: telegram.unconfirmed == 0)
    assert [status for _, status in telegram.posted] == [503, 503, 200]


async def test_a_post_that_stands_still_is_given_up(telegram: BotApi, engine: ScriptedEngine, tmp_path: Path) -> None:
    async with posting(telegram, tmp_path, engine, body_timeout_seconds=0.3) as client:
        head = f"POST /hook HTTP/1.1\r\nHost: localhost\r\nX-Telegram-Bot-Api-Secret-Token: {SECRET}\r\n"
        answered = b""
        while not answered:
            reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
            with suppress(ConnectionError):  # where the machine stood still before the head was there
                writer.write(f'{head}Content-Length: 100\r\n\r\n{{"update_id"'.encode())
                answered = await reader.read()
            writer.close()
        assert answered.startswith(b"HTTP/1.1 408 ")


async def test_an_address_that_somebody_else_has_set_is_set_back(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "CHECK_SECONDS", 0.05)
    async with service(telegram, tmp_path, engine, webhook=True):
        await until(lambda: telegram.webhook)
        telegram.webhook = {}
        assert (await ann.answer(ann.person.shows(photo(), "One"))).startswith("Answer to 'One'")


BOT = """
[bots.telegram]
token = "1:secret"
mode = "webhook"
webhook_url = "https://bot.example.org/hook"
webhook_secret = "a-secret-of-the-tests"
"""


def test_a_webhook_needs_the_page_and_its_old_address_is_refused_with_what_to_write(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(BOT)
    with pytest.raises(OperatorError, match=r'mode = "webhook" needs the web page: add a table \[bots\.web\]'):
        load(config, {})
    config.write_text(f"{BOT}\n[bots.web]\n")
    assert load(config, {}).platforms["bots.telegram"].mode == "webhook"
    config.write_text(f'{BOT}host = "0.0.0.0"\nport = 8443\n[bots.web]\n')
    with pytest.raises(OperatorError) as refused:
        load(config, {})
    assert str(refused.value).startswith("[bots.telegram] host and port went to [bots.web]")
    assert 'write there host = "0.0.0.0" and port = 8443' in str(refused.value)
    config.write_text(f"{BOT}\n[bots.web]\n")
    with pytest.raises(OperatorError, match="port = 8443"):
        load(config, {"PA_BOTS_TELEGRAM_PORT": "8443"})


@pytest.mark.parametrize("posted_to", ["/hook", "/pictures/hook"])
async def test_the_webhook_works_below_a_path_that_a_proxy_takes_away_or_leaves(
    telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, ann: Chatting, posted_to: str
) -> None:
    telegram.posts = False
    page, webhook_url = {"path": "/pictures", "token": "the-pages-token"}, "https://bot.example.org/pictures/hook"
    async with service(telegram, tmp_path, engine, webhook=True, page=page, webhook_url=webhook_url):
        await until(lambda: telegram.webhook.get("url") == webhook_url)
        question = ann.person.shows(photo(), "One")
        async with httpx.AsyncClient(base_url=telegram.posts_to, timeout=60) as client:
            update = telegram.take_update()
            assert (await client.post(posted_to, json=update)).status_code == 403
            assert (await client.post(posted_to, json=update, headers=RIGHT)).status_code == 200
        assert (await ann.answer(question)).startswith("Answer to 'One' about [1]")
