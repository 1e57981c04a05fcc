import aiohttp
import pytest
from aiohttp import web
from aiohttp_socks import ProxyConnectionError, ProxyConnector

from tests.chaos.tcp_gate import SocksGate
from tests.ports import free_port


async def test_a_client_that_takes_a_gate_for_a_proxy_reaches_the_server_until_it_is_cut() -> None:
    async def greet(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    app, port, sent = web.Application(), free_port(), bytearray()
    app.router.add_post("/api/chat.update", greet)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    gate = SocksGate(lambda: [port], sent.extend)
    await gate.open()
    try:
        connector = ProxyConnector.from_url(f"socks5://127.0.0.1:{gate.port}")
        async with aiohttp.ClientSession(connector=connector) as client:
            async with client.post("http://slack.test/api/chat.update", data="words") as answer:
                assert await answer.text() == "hello"
            assert sent.startswith(b"POST /api/chat.update") and sent.endswith(b"words")
            await gate.cut()
            with pytest.raises((aiohttp.ClientError, ProxyConnectionError)):
                await client.post("http://slack.test/api/chat.update", data="words")
    finally:
        await gate.close()
        await runner.cleanup()
