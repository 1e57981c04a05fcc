"""No connection for ever: each state of one ends, and nobody has all of them."""

import asyncio
import logging
import os
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from bots.web.body import pieces
from bots.web.connection import LINGER_SECONDS, Connection
from tests.bots.web.conftest import Web, service, until
from tests.core.files import busy, encoded

TOKEN = "a-token-for-the-tests"
PATIENCE_SECONDS = 20.0
REFUSED = {
    "an unknown host": "POST /api/v1/analyze HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 9\r\n\r\n",
    "no token": "POST /api/v1/analyze HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
    "too much": f"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: {10**12}\r\n\r\n",
    "a foreign page": "POST /login HTTP/1.1\r\nHost: localhost\r\nOrigin: http://a.b\r\nContent-Length: 9\r\n\r\n",
    "a foreign address": "POST /static/no HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
    "signing out": f"POST /logout HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
    "Content-Length: 9\r\n\r\n",
    "a body that nobody asked for": "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
    "a chunk that is none": "GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
    "no HTTP": "HELLO\r\n\r\n",
}


async def connect(web: Web, **options: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    url = httpx.URL(web.url)
    local = (options["address"], 0) if options else None
    return await asyncio.open_connection(url.host, url.port, local_addr=local)


async def ended(reader: asyncio.StreamReader) -> bytes:
    """What comes until the other side closes or resets the connection."""
    read = b""
    async with asyncio.timeout(60):
        try:
            while piece := await reader.read(65_536):
                read += piece
        except ConnectionResetError:
            pass
    return read


async def trickle(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"1")
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("trickles", [False, True])
async def test_what_was_answered_early_gives_its_socket_back(
    tmp_path: Path, trickles: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with service(tmp_path, token=TOKEN, body_timeout_seconds=0.3) as web:
        for reason, head in REFUSED.items():
            answered = b""
            while not answered:
                reader, writer = await connect(web)
                writer.write(head.encode())
                with suppress(ConnectionError, asyncio.IncompleteReadError):  # where the machine stood still meanwhile
                    answered = await reader.readuntil(b"\r\n")
            assert answered.startswith(b"HTTP/1.1 "), reason
            writer.write(b"1")
            rest = asyncio.create_task(trickle(writer)) if trickles else None
            await ended(reader)
            if rest:
                rest.cancel()
            writer.close()
    assert "Traceback" not in caplog.text


async def test_a_reader_who_stands_still_is_given_up(tmp_path: Path) -> None:
    async with service(tmp_path) as web:
        added = (await web.client.post("/api/v1/pictures", files={"image": encoded(busy((1000, 1000)), "PNG")})).json()
    async with service(tmp_path, body_timeout_seconds=0.3) as web:
        url, address = httpx.URL(web.url), added["pictures"][0]["url"]
        with socket.socket() as idle:
            idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            idle.connect((url.host, url.port))
            idle.send(f"GET {address} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            await until(lambda: idle.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        picture = b""
        while not picture:
            with suppress(httpx.TransportError):  # the machine stood still, and our reader with it
                picture = (await web.client.get(address)).content
        assert len(picture) > 2 << 20


@asynccontextmanager
async def large_answers() -> AsyncIterator[tuple[Connection, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection whose answers are larger than all that the system keeps for both sides of it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for piece in pieces({"type": "http.response.body", "body": bytes(32 << 20)}):
            await send(piece)

    config = uvicorn.Config(app, http=Connection, log_config=None, lifespan="off")
    config.load()
    made = Connection(config, ServerState(), PATIENCE_SECONDS, lambda _: None)
    server = await asyncio.get_running_loop().create_server(lambda: made, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), limit=1 << 16)
    await until(lambda: made.transport)
    yield made, reader, writer
    made.abort()
    writer.close()
    server.close()
    await server.wait_closed()


async def test_each_state_of_a_connection_has_its_time(caplog: pytest.LogCaptureFixture) -> None:
    """The clock here is ours: `is_overdue` is told the time."""
    async with large_answers() as (connection, reader, writer):
        assert not connection.is_overdue(0)
        assert connection.is_overdue(PATIENCE_SECONDS + 1), "nothing was asked"
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n1")
        await until(lambda: connection.flow.write_paused)
        assert not connection.is_overdue(100)
        assert connection.is_overdue(100 + PATIENCE_SECONDS + 1), "nobody reads"
        await reader.readuntil(b"\r\n\r\n")
        while not connection.cycle.response_complete:
            await reader.read(1 << 20)
        while connection.transport.get_write_buffer_size():
            await reader.read(1 << 20)
        assert not connection.is_overdue(200)
        writer.write(b"2")
        await asyncio.sleep(0.05)
        assert connection.is_overdue(200 + LINGER_SECONDS + 1), "the rest of the body is not waited for"
        writer.write(b"3456789GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await until(lambda: connection.flow.write_paused)
        assert not connection.is_overdue(300)
        connection.transport.close()
        assert not connection.is_overdue(400)
        assert connection.is_overdue(400 + LINGER_SECONDS + 1), "what is closed does not wait for its reader"


async def test_a_connection_that_is_used_again_and_again_is_not_idle() -> None:
    async with large_answers() as (connection, reader, writer):
        for now in (0.0, 15.0, 30.0, 45.0):
            assert not connection.is_overdue(now)
            writer.write(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
        assert not connection.is_overdue(45.0)
        assert connection.is_overdue(70.0)


async def test_one_address_does_not_take_the_connections_of_others(tmp_path: Path) -> None:
    async with service(
        tmp_path, connections_per_address=5, trusted_proxies=["127.0.0.3"], body_timeout_seconds=600
    ) as web:
        greedy = [await connect(web, address="127.0.0.2") for _ in range(8)]
        async with asyncio.timeout(60):
            await asyncio.gather(*[reader.read(1) for reader, _ in greedy[5:]], return_exceptions=True)
        assert not any(reader.at_eof() or reader.exception() for reader, _ in greedy[:5])
        proxied = [await connect(web, address="127.0.0.3") for _ in range(8)]
        for reader, writer in (*proxied, greedy[0]):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert (await web.client.get("/healthz")).status_code == 200
        for _, writer in (*greedy, *proxied):
            writer.close()


async def test_when_all_connections_are_taken_whoever_has_the_most_loses_some(tmp_path: Path) -> None:
    async with service(tmp_path, connections=10, body_timeout_seconds=600) as web:
        greedy = [await connect(web, address="127.0.0.2") for _ in range(10)]
        others = [await connect(web, address=f"127.0.0.{number}") for number in range(3, 7)]
        for reader, writer in others:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            async with asyncio.timeout(60):
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        for reader, _ in greedy[:4]:
            assert await ended(reader) == b""
        for _, writer in (*greedy, *others):
            writer.close()


async def test_a_lack_of_descriptors_is_logged_once_and_passes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    caplog.set_level(logging.WARNING, "bots")
    async with service(tmp_path) as web:
        url = httpx.URL(web.url)
        with ExitStack() as stack:
            clients = [stack.enter_context(socket.create_connection((url.host, url.port))) for _ in range(20)]
            with few_descriptors():  # the system has taken the connections already; the service has not
                await until(lambda: caplog.records)
                await asyncio.sleep(0.3)
                assert [record.getMessage() for record in caplog.records] == [
                    "no connection can be accepted now: Too many open files"
                ]
            for client in clients:
                client.sendall(request)
                client.setblocking(False)
                async with asyncio.timeout(60):
                    answer = await asyncio.get_running_loop().sock_recv(client, 4096)
                assert answer.startswith(b"HTTP/1.1 200")


@contextmanager
def few_descriptors() -> Iterator[None]:
    """Two more than are open now."""
    taken, limits = set(map(int, os.listdir("/proc/self/fd"))), resource.getrlimit(resource.RLIMIT_NOFILE)
    free = [number for number in range(len(taken) + 3) if number not in taken]
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[2], limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def test_a_service_may_open_as_many_files_as_the_system_allows(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard // 2, hard))
    try:
        async with service(tmp_path):
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
