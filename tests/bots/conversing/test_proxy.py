"""Which proxy leads to an address."""

import pytest
from pydantic import SecretStr

from bots.conversing.proxy import Proxies, parse, without_password, without_passwords
from tests.bots.proxied import forget_proxies


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_proxies(monkeypatch)


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, "https://slack.com", None),
        ({"ALL_PROXY": "socks5://p"}, "https://slack.com", "socks5://p:1080"),
        ({"ALL_PROXY": "p:3128"}, "wss://slack.com", "http://p:3128"),
        ({"HTTPS_PROXY": "http://p", "ALL_PROXY": "socks5://q"}, "wss://slack.com/link", "http://p:80"),
        ({"HTTPS_PROXY": "http://p"}, "http://slack.com", None),
        ({"https_proxy": "https://p"}, "https://slack.com", "https://p:443"),
        ({"ALL_PROXY": "socks5h://[::1]:9", "NO_PROXY": "slack.com"}, "https://files.slack.com", None),
        ({"ALL_PROXY": "socks5h://[::1]:9", "NO_PROXY": ".slack.com"}, "https://notslack.com", "socks5h://[::1]:9"),
        ({"ALL_PROXY": "http://p", "no_proxy": "10.0.0.0/8, fd00::/8"}, "http://10.1.2.3:8081/", None),
        ({"ALL_PROXY": "http://p", "no_proxy": "10.0.0.0/8, fd00::/8"}, "http://[fd00::7]:8081/", None),
        ({"ALL_PROXY": "http://p", "no_proxy": "10.0.0.0/8, fd00::/8"}, "http://11.1.2.3:8081/", "http://p:80"),
        ({"ALL_PROXY": "http://p", "NO_PROXY": "localhost:1"}, "http://localhost:2/", "http://p:80"),
        ({"ALL_PROXY": "http://p", "NO_PROXY": "localhost:1"}, "http://localhost:1/", None),
        ({"ALL_PROXY": "http://p", "NO_PROXY": "*"}, "https://slack.com", None),
    ],
)
def test_the_environment_is_read_as_curl_does(
    environment: dict[str, str], url: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert Proxies().proxy_for(url) == proxy
    assert Proxies(SecretStr("http://own:1")).proxy_for(url) == "http://own:1"


@pytest.mark.parametrize(
    "text",
    [
        "socks5://",
        "socks4://a:1",
        "ftp://a",
        "a:1",
        "http://u:hush#x@a:1",
        "http://a:99999",
        "http://a/hush",
        "hush",
        "",
    ],
)
def test_what_is_no_proxy_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="it ") as caught:
        parse(text)
    assert "hush" not in str(caught.value)


def test_names_and_passwords_are_not_shown() -> None:
    assert without_password(parse("http://ann:p%40ss@proxy:1")) == "http://proxy:1"
    assert without_passwords("to socks5://a:b@c:1 and http://d/e@f") == "to socks5://c:1 and http://d/e@f"
