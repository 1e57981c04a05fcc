"""Send httpx's requests through a proxy. Every wait on the proxy ends, and every failure is an error of httpx's."""

import httpx
from httpx_socks import AsyncProxyTransport


def through(proxy: str, connections: int) -> httpx.AsyncBaseTransport:
    """Return a transport through a proxy, given by its URL, that opens so many connections at most."""
    limits = httpx.Limits(max_connections=connections)
    if not proxy.startswith("socks"):
        return httpx.AsyncHTTPTransport(proxy=proxy, limits=limits)
    return _SocksTransport.from_url(proxy.replace("socks5h:", "socks5:"), rdns=True, limits=limits)


class _SocksTransport(AsyncProxyTransport):
    """Used rather than httpx's own, which waits for a silent SOCKS proxy for ever, and leaves its connection open."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await super().handle_async_request(request)
        except httpx.HTTPError:
            raise
        except TimeoutError as error:
            raise httpx.ConnectTimeout("The proxy does not answer.", request=request) from error
        except Exception as error:  # of python_socks, anyio or ssl
            reason = f"{type(error).__name__}: {error}"
            raise httpx.ProxyError(reason, request=request) from error
