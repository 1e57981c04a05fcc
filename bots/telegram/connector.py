"""Connect to Telegram's hosts, each directly or through its proxy."""

from collections.abc import Sequence

import httpx

from bots.conversing.proxy import Proxies
from bots.conversing.proxy_transport import through
from bots.telegram.transport import SafeRequest


def connections(sizes: Sequence[int], timeout: float, proxies: Proxies, urls: tuple[str, ...]) -> list[SafeRequest]:
    """Return for each size what makes so many requests at once to the URLs, which are all that the bot asks."""
    proxied = {httpx.URL(url).netloc.decode(): proxy for url in urls if (proxy := proxies.proxy_for(url))}
    trust = httpx.create_ssl_context()  # one for all, since reading the certificates takes time
    return [
        SafeRequest(
            size,
            read_timeout=timeout,
            write_timeout=timeout,
            connect_timeout=timeout,
            pool_timeout=timeout,
            httpx_kwargs={
                # The direct way is given, so that httpx does not ask the environment itself.
                "transport": httpx.AsyncHTTPTransport(verify=trust, limits=httpx.Limits(max_connections=size)),
                "mounts": {f"all://{host}": through(proxy, size) for host, proxy in proxied.items()},
            },
        )
        for size in sizes
    ]
