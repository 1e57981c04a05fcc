"""What the doctor says of proxies: never a password."""

from pathlib import Path

import pytest

from bots.cli.doctor import examine
from bots.conversing.check_result import CheckResult, Level
from tests.bots.proxied import forget_proxies
from tests.bots.slack.server import FakeSlack
from tests.bots.slack.workspace import APP_TOKEN, BOT_TOKEN
from tests.bots.telegram.server import TOKEN, BotApi
from tests.ports import free_port
from tests.proxy_server import ProxyServer

LOGIN = ("ann", "hush-hush")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_proxies(monkeypatch)
    monkeypatch.setenv("NO_PROXY", "huggingface.co")


async def found(folder: Path, tables: str, what: str = "proxy") -> list[CheckResult]:
    path = folder / "config.toml"
    storage = f'[storage]\nurl = "sqlite+aiosqlite:///{folder}/db.sqlite"\n'
    path.write_text(f'[core.engine]\nmodel = "demo"\ncache = "{folder}/cache"\n{storage}{tables}', "utf-8")
    results = [result async for result in examine(path)]
    assert not any(LOGIN[1] in result.text for result in results)
    return [result for result in results if result.what == what]


def telegram_table(url: str, proxy: str = "") -> str:
    setting = f'proxy = "{proxy}"\n' if proxy else ""
    return f'[bots.telegram]\ntoken = "{TOKEN}"\nallow = "*"\napi_url = "{url}"\ntimeout_seconds = 3\n{setting}'


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "http"])
async def test_a_proxy_that_works_is_found_good_and_the_platform_is_reached_through_it(
    scheme: str, tmp_path: Path
) -> None:
    async with BotApi() as telegram, ProxyServer(LOGIN) as proxy:
        table = telegram_table(f"http://telegram.test:{telegram.port}", proxy.url(scheme))
        [result] = await found(tmp_path, table)
        assert result.level is Level.OK
        assert f"{scheme}://127.0.0.1:{proxy.port} for bots.telegram" in result.text
        assert (await found(tmp_path, table, "telegram"))[0].level is Level.OK


async def test_slack_s_proxy_is_looked_at_too(tmp_path: Path) -> None:
    async with FakeSlack() as slack, ProxyServer(LOGIN) as proxy:
        table = f'[bots.slack]\nbot_token = "{BOT_TOKEN}"\napp_token = "{APP_TOKEN}"\nallow = "*"\n'
        table += f'api_url = "http://slack.test:{slack.port}/api/"\nproxy = "{proxy.url("socks5")}"\n'
        assert [result.level for result in await found(tmp_path, table)] == [Level.OK]
        assert (await found(tmp_path, table, "slack"))[0].level is Level.OK


@pytest.mark.parametrize("scheme", ["socks5", "http", "https"])
async def test_a_proxy_that_cannot_be_reached_is_wrong(scheme: str, tmp_path: Path) -> None:
    proxy = f"{scheme}://ann:hush-hush@127.0.0.1:{free_port()}"
    [result] = await found(tmp_path, telegram_table("http://telegram.test", proxy))
    assert result.level is Level.WRONG
    assert "check proxy in [bots.telegram]" in result.text


@pytest.mark.parametrize("scheme", ["socks5", "http"])
async def test_a_proxy_that_hangs_up_or_refuses_the_password_is_wrong(scheme: str, tmp_path: Path) -> None:
    async with BotApi() as telegram, ProxyServer(("bob", "other")) as proxy:
        url = f"{scheme}://ann:hush-hush@127.0.0.1:{proxy.port}"
        for works in (True, False):
            proxy.works = works
            [result] = await found(tmp_path, telegram_table(f"http://telegram.test:{telegram.port}", url))
            assert result.level is Level.WRONG
        assert proxy.refused


async def test_a_wrong_scheme_is_told_for_the_setting_and_for_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = telegram_table("http://127.0.0.1:9", "socks4://ann:hush-hush@proxy:1")
    [result] = await found(tmp_path, table, "config")
    assert result.level is Level.WRONG
    assert "[bots.telegram] proxy: it has to begin with socks5://, http:// or https://" in result.text
    monkeypatch.setenv("ALL_PROXY", "gopher://ann:hush-hush@proxy:1")
    [result] = await found(tmp_path, telegram_table("http://127.0.0.1:9"))
    assert result.level is Level.WRONG
    assert "The environment variable ALL_PROXY names no proxy" in result.text


async def test_the_environment_s_proxy_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with BotApi() as telegram, ProxyServer(LOGIN) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url("http"))
        [result] = await found(tmp_path, telegram_table(f"http://telegram.test:{telegram.port}"))
        assert result.level is Level.OK
        assert proxy.carried
