"""Connect to Slack's hosts, each directly or through its proxy: the API, the files and the WebSockets alike."""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any

import aiohttp
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from aiohttp_socks import ProxyConnectionError, ProxyConnector, ProxyError, ProxyTimeoutError
from yarl import URL

from bots.conversing.proxy import Proxies


class Connector(aiohttp.TCPConnector):
    """aiohttp's, except that it chooses the proxy: aiohttp's own choice knows neither SOCKS nor WebSockets."""

    def __init__(self, proxies: Proxies) -> None:
        super().__init__()
        self._proxies = proxies
        self._tunnels: dict[str, ProxyConnector] = {}

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        proxy = self._proxies.proxy_for(str(req.url))
        if proxy is not None and _is_tunnel(proxy, req.url):
            return await self._tunnel(proxy, req, traces, timeout)
        req.update_proxy(URL(proxy) if proxy else None, None, None)
        return await super().connect(req, traces, timeout)

    async def _tunnel(
        self, proxy: str, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        if proxy not in self._tunnels:
            self._tunnels[proxy] = ProxyConnector.from_url(proxy.replace("socks5h:", "socks5:"), rdns=True)
        try:
            return await self._tunnels[proxy].connect(req, traces, timeout)
        except (ProxyConnectionError, ProxyError, ProxyTimeoutError) as error:  # which are no errors of aiohttp's
            raise aiohttp.ClientConnectionError(f"The proxy fails ({type(error).__name__}).") from error

    def close(self, *, abort_ssl: bool = False) -> Coroutine[Any, Any, None]:
        closing = [connector.close(abort_ssl=abort_ssl) for connector in self._tunnels.values()]
        return _all([super().close(abort_ssl=abort_ssl), *closing])


def _is_tunnel(proxy: str, url: URL) -> bool:
    """Return whether aiohttp cannot use the proxy itself: it would send an HTTP proxy the address ws://… as it is."""
    return proxy.startswith("socks") or (url.scheme == "ws" and proxy.startswith("http:"))


async def _all(closing: list[Awaitable[None]]) -> None:
    await asyncio.gather(*closing)
