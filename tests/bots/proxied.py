"""Ways through a proxy for the platforms' tests: named by the setting or by the environment, with TLS or without."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import trustme

from tests.proxy_server import ProxyServer

LOGIN = ("ann", "p@ss:w/rd#1")
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@dataclass(frozen=True)
class Way:
    """`source` is "setting" or a variable; `carried` is what the proxy sees of it."""

    source: str
    scheme: str
    carried: str
    tls: bool = False

    def __str__(self) -> str:
        return f"{self.source}-{self.scheme}-{'tls' if self.tls else 'plain'}"

    def settings(self, proxy: ProxyServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
        """Name the proxy: return its settings, or set its variable."""
        url = proxy.url(self.scheme)
        if self.source == "setting":
            return {"proxy": url}
        monkeypatch.setenv(self.source, url)
        return {}


WAYS = [
    Way("setting", "socks5", "socks5"),
    Way("setting", "socks5h", "socks5", tls=True),
    Way("setting", "http", "plain"),
    Way("setting", "http", "connect", tls=True),
    Way("ALL_PROXY", "socks5", "socks5"),
    Way("ALL_PROXY", "http", "plain"),
    Way("all_proxy", "socks5h", "socks5", tls=True),
    Way("HTTP_PROXY", "http", "plain"),
    Way("HTTPS_PROXY", "http", "connect", tls=True),
    Way("https_proxy", "socks5h", "socks5", tls=True),
]


def forget_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the proxies of the machine that runs the tests out of the environment."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)


def certified(host: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Return a context for a server of that name, whose certificate both httpx and aiohttp trust in this test."""
    authority = trustme.CA()
    file = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))  # httpx and Python's default look here
    monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", ssl.create_default_context())  # made at its import
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(host).configure_cert(context)
    return context
