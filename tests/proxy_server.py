"""A proxy on loopback that speaks SOCKS5 and HTTP (CONNECT and plain requests) on one port, and counts what it carries.

It alone knows hosts that end with .test: they are on loopback. Who asks for them and gets an answer came through it.
"""

import asyncio
import base64
import ipaddress
import re
import struct
from collections import Counter
from contextlib import suppress
from urllib.parse import quote

LARGEST_HEAD = 1 << 16
HOP_HEADERS = re.compile(rb"(?im)^(proxy-[a-z-]+|connection): .*\r\n")
SOCKS_REFUSED = 5


class ProxyServer:
    """The proxy. `carried` counts "socks5", "connect" and "plain" with the host; `login` is a name and a password."""

    def __init__(self, login: tuple[str, str] | None = None) -> None:
        self.login = login
        self.carried: Counter[tuple[str, str]] = Counter()
        self.refused = 0
        self.hung_up = 0
        self.works = True  # else it takes connections and hangs up
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "ProxyServer":
        self._server = await asyncio.start_server(self._begin, "127.0.0.1", 0, limit=LARGEST_HEAD)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self.hang_up()

    async def hang_up(self) -> None:
        """End every connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def url(self, scheme: str) -> str:
        login = ":".join(quote(part, safe="") for part in self.login) + "@" if self.login else ""
        return f"{scheme}://{login}127.0.0.1:{self.port}"

    async def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with suppress(OSError, EOFError, asyncio.CancelledError):
            self.hung_up += not self.works
            if self.works:
                first = await reader.readexactly(1)
                await (self._socks(reader, writer) if first == b"\x05" else self._http(first, reader, writer))
        writer.close()

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        methods = await reader.readexactly((await reader.readexactly(1))[0])
        method = 2 if self.login else 0
        if method not in methods:
            writer.write(b"\x05\xff")
            self.refused += 1
            return
        writer.write(bytes([5, method]))
        if self.login:
            await reader.readexactly(1)
            given = [(await reader.readexactly((await reader.readexactly(1))[0])).decode() for _ in range(2)]
            writer.write(bytes([1, given != list(self.login)]))
            if given != list(self.login):
                self.refused += 1
                return
        _, _, _, kind = await reader.readexactly(4)
        host = await self._socks_host(kind, reader)
        [port] = struct.unpack("!H", await reader.readexactly(2))
        try:
            upstream = await self._open("socks5", host, port)
        except OSError:
            writer.write(bytes([5, SOCKS_REFUSED, 0, 1]) + bytes(6))
            return
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        await _join(reader, writer, *upstream)

    async def _socks_host(self, kind: int, reader: asyncio.StreamReader) -> str:
        if kind == 3:
            return (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        return str(ipaddress.ip_address(await reader.readexactly(4 if kind == 1 else 16)))

    async def _http(self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = first + await reader.readuntil(b"\r\n\r\n")
        if self.login:
            expected = base64.b64encode(":".join(self.login).encode())
            if b"Proxy-Authorization: Basic " + expected not in head:
                self.refused += 1
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
        method, target, version = head.partition(b"\r\n")[0].decode().split()
        found = re.fullmatch(r"(?:(http)://)?([^/:]+):?(\d*)(/.*)?", target)
        if not found or (method == "CONNECT") == bool(found[1]):
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            return
        kind = "connect" if method == "CONNECT" else "plain"
        try:
            upstream = await self._open(kind, found[2], int(found[3] or 80))
        except OSError:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        if kind == "connect":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:  # one request on a connection, since the next one may go elsewhere
            rest = head.partition(b"\r\n")[2]
            upgrade = b"upgrade: websocket" in rest.lower()
            begin = f"{method} {found[4] or '/'} {version}\r\nConnection: {'Upgrade' if upgrade else 'close'}\r\n"
            upstream[1].write(begin.encode() + HOP_HEADERS.sub(b"", rest))
        await _join(reader, writer, *upstream)

    async def _open(self, kind: str, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.carried[kind, host] += 1
        return await asyncio.open_connection("127.0.0.1" if host.endswith(".test") else host, port)


async def _join(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    far_reader: asyncio.StreamReader,
    far_writer: asyncio.StreamWriter,
) -> None:
    """Carry bytes both ways until one side ends."""
    ways = [asyncio.create_task(_pipe(reader, far_writer)), asyncio.create_task(_pipe(far_reader, writer))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        far_writer.close()
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
