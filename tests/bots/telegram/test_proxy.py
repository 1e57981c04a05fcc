"""The bot behind a proxy: every request to Telegram goes through it, as the setting or the environment says."""

from pathlib import Path
from typing import Any

import pytest

from core.errors import OperatorError
from tests.bots.proxied import LOGIN, WAYS, Way, certified, forget_proxies
from tests.bots.telegram.conftest import Chatting, photo, service, until
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi
from tests.fakes import ScriptedEngine
from tests.proxy_server import ProxyServer

HOST = "telegram.test"  # which only the proxy knows
ANSWER = "Answer to 'What is this?' about [1] after 0 turns."


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_proxies(monkeypatch)


def ann_of(telegram: BotApi) -> Chatting:
    return Chatting(Person(telegram, telegram.world.chat(7)))


@pytest.mark.parametrize("way", WAYS, ids=str)
async def test_pictures_are_asked_about_through_a_proxy_that_alone_knows_the_host(
    way: Way, engine: ScriptedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = certified(HOST, tmp_path, monkeypatch) if way.tls else None
    async with BotApi(strict=False, tls=tls) as telegram, ProxyServer(LOGIN) as proxy:
        settings: dict[str, Any] = {**way.settings(proxy, monkeypatch)}
        settings["api_url"] = f"{'https' if tls else 'http'}://{HOST}:{telegram.port}"
        ann = ann_of(telegram)
        async with service(telegram, tmp_path, engine, **settings):
            assert await ann.answer(ann.person.shows(photo(), "What is this?")) == ANSWER
        assert set(proxy.carried) == {(way.carried, HOST)}
        assert not proxy.refused


async def test_hosts_in_no_proxy_are_reached_directly(
    telegram: BotApi, engine: ScriptedEngine, ann: Chatting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ProxyServer() as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url("socks5"))
        monkeypatch.setenv("NO_PROXY", "localhost, 127.0.0.0/8")
        async with service(telegram, tmp_path, engine):
            assert await ann.answer(ann.person.shows(photo(), "What is this?")) == ANSWER
        assert not proxy.carried


async def test_files_of_another_host_go_their_own_way(
    engine: ScriptedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with BotApi(strict=False) as telegram, ProxyServer() as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url("http"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        ann = ann_of(telegram)
        async with service(telegram, tmp_path, engine, file_url=f"http://{HOST}:{telegram.port}/file"):
            assert await ann.answer(ann.person.shows(photo(), "What is this?")) == ANSWER
        assert proxy.carried == {("plain", HOST): 1}  # the picture


@pytest.mark.parametrize("scheme", ["socks5", "http"])
async def test_a_proxy_that_fails_for_a_while_is_waited_for(
    scheme: str, telegram: BotApi, engine: ScriptedEngine, ann: Chatting, tmp_path: Path
) -> None:
    async with ProxyServer() as proxy:
        proxy.works = False
        async with service(telegram, tmp_path, engine, proxy=proxy.url(scheme)) as task:
            await until(lambda: proxy.hung_up > 1 or task.done())
            assert not task.done()
            proxy.works = True
            assert await ann.answer(ann.person.shows(photo(), "What is this?")) == ANSWER


@pytest.mark.parametrize("value", ["socks5://", "socks4://127.0.0.1:1", "ftp://ann:hush@proxy:1", "http://ann:hush#@x"])
async def test_a_variable_that_names_no_proxy_is_told_in_a_sentence_without_its_password(
    value: str, telegram: BotApi, engine: ScriptedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", value)
    async with service(telegram, tmp_path, engine) as task:
        with pytest.raises(OperatorError, match="environment variable ALL_PROXY names no proxy: it ") as caught:
            await task
    assert "hush" not in str(caught.value)


async def test_the_setting_stands_above_the_environment(
    telegram: BotApi, engine: ScriptedEngine, ann: Chatting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks4://nowhere.test:1")
    monkeypatch.setenv("NO_PROXY", "*")
    async with ProxyServer() as proxy:
        async with service(telegram, tmp_path, engine, proxy=proxy.url("socks5")):
            assert await ann.answer(ann.person.shows(photo(), "What is this?")) == ANSWER
        assert proxy.carried
