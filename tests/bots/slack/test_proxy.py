"""The bot behind a proxy: API, files and WebSockets all go through it, as the setting or the environment says."""

import asyncio
from pathlib import Path

import pytest

from core.errors import OperatorError
from storage.store import Store, StoreConfig
from tests.bots.proxied import LOGIN, WAYS, Way, certified, forget_proxies
from tests.bots.slack.conftest import Scene
from tests.bots.slack.server import FakeSlack
from tests.fakes import ScriptedEngine
from tests.proxy_server import ProxyServer

HOST = "slack.test"  # which only the proxy knows
ANSWER = "Answer to 'what is it?' about [1] after 0 turns."
BOX = '```json\n[{"bbox_2d": [100, 100, 900, 900], "label": "a cat"}]\n```'


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_proxies(monkeypatch)


@pytest.mark.parametrize("way", WAYS, ids=str)
async def test_pictures_are_asked_about_through_a_proxy_that_alone_knows_the_host(
    way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = certified(HOST, tmp_path, monkeypatch) if way.tls else None
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{tmp_path}/answers.db"))
    async with FakeSlack(tls=tls) as slack, ProxyServer(LOGIN) as proxy:
        slack.url = f"{'https' if tls else 'http'}://{HOST}:{slack.port}"
        scene = Scene(slack, store, ScriptedEngine(script=lambda _: BOX))
        async with scene.bot(**way.settings(proxy, monkeypatch)):
            assert slack.connections == 1
            _, drawn = await scene.finished(scene.ask(), 2)
        assert drawn["files"][0]["data"]  # was uploaded
        socket = {("connect", HOST)} if way.carried == "plain" else set()  # a WebSocket has a tunnel at any rate
        assert set(proxy.carried) == {(way.carried, HOST)} | socket
        assert not proxy.refused
    await store.close()


async def test_hosts_in_no_proxy_are_reached_directly(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ProxyServer() as proxy:
        for variable in ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(variable, proxy.url("http"))
        monkeypatch.setenv("NO_PROXY", "slack.com,127.0.0.0/8")
        async with scene.bot():
            assert await scene.answer(scene.ask()) == ANSWER
        assert not proxy.carried


async def test_each_host_goes_its_own_way(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ProxyServer() as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url("socks5"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        api_url = scene.slack.api_url
        scene.slack.url = f"http://{HOST}:{scene.slack.port}"  # of WebSockets and files
        async with scene.bot(api_url=api_url):
            await scene.slack.connected()
        assert proxy.carried == {("socks5", HOST): 1}


@pytest.mark.parametrize("scheme", ["socks5", "http"])
async def test_a_proxy_that_fails_for_a_while_is_waited_for(scheme: str, scene: Scene) -> None:
    async with ProxyServer() as proxy, scene.bot(proxy=proxy.url(scheme)) as task:
        assert await scene.answer(scene.ask()) == ANSWER
        proxy.works = False
        await proxy.hang_up()
        asked = scene.ask()
        while proxy.hung_up < 2 and not task.done():
            await asyncio.sleep(0.01)
        proxy.works = True
        assert await scene.answer(asked) == ANSWER


@pytest.mark.parametrize("value", ["socks5://", "socks4://127.0.0.1:1", "ftp://ann:hush@proxy:1", "http://ann:hush#@x"])
async def test_a_variable_that_names_no_proxy_is_told_in_a_sentence_without_its_password(
    value: str, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", value)
    async with scene.bot_in_background() as task:
        with pytest.raises(OperatorError, match="environment variable ALL_PROXY names no proxy: it ") as caught:
            await task
    assert "hush" not in str(caught.value)
