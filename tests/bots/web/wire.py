"""A network between a browser and the service, which can die without a word: nothing is closed, and nothing comes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

PIECE_BYTES = 65_536


class Wire:
    def __init__(self, address: str) -> None:
        target = urlsplit(address)
        self._target = target.hostname, target.port
        self._lines: set[asyncio.Task[None]] = set()
        self._alive = asyncio.Event()
        self._alive.set()

    def die(self) -> None:
        """No connection carries anything from now on."""
        self._alive.clear()

    def revive(self) -> None:
        """New connections work. What was on its way in the old ones is lost, and they stay silent."""
        self._alive = asyncio.Event()
        self._alive.set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        alive = self._alive
        await alive.wait()
        back, forth = await asyncio.open_connection(*self._target)
        ways = [asyncio.create_task(_copy(reader, forth, alive)), asyncio.create_task(_copy(back, writer, alive))]
        self._lines.update(ways)
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for end in (forth, writer):
                end.close()

    def cut(self) -> None:
        for line in self._lines:
            line.cancel()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter, alive: asyncio.Event) -> None:
    with suppress(ConnectionError):
        while data := await source.read(PIECE_BYTES):
            await alive.wait()
            sink.write(data)
            await sink.drain()


@asynccontextmanager
async def wired(address: str) -> AsyncIterator[tuple[str, Wire]]:
    """Yield the address on this side of a wire, and the wire."""
    wire = Wire(address)
    server = await asyncio.start_server(wire.carry, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", wire
    finally:
        server.close()
        wire.cut()
