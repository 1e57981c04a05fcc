"""A way to a server that can be cut, watched, and led to another one."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from tests.ports import free_port

PIECE_BYTES = 1 << 16
SOCKS_ADDRESS_BYTES = {1: 4, 4: 16}  # by kind; any other one is a name, and begins with its length


class TcpGate:
    """Listens at `port`, and leads each connection to the first of `ports()` that takes it.

    The server sees the client's own address. `watch` is told of the bytes that clients send, before they are passed on.
    """

    def __init__(self, ports: Callable[[], Sequence[int]], watch: Callable[[bytes], None] = lambda data: None) -> None:
        self.port = free_port()
        self._ports = ports
        self._watch = watch
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_cut(self) -> bool:
        return self._server is None

    async def open(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, reuse_address=True)

    async def cut(self) -> None:
        """End every connection, and take no new one."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            writer.transport.abort()

    async def close(self) -> None:
        await self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        client = writer.get_extra_info("peername")[0]
        for port in self._ports():
            with suppress(OSError):
                back, there = await asyncio.open_connection("127.0.0.1", port, local_addr=(client, 0))
                break
        else:
            writer.transport.abort()
            return
        self._open |= {writer, there}
        try:
            if not await self._greet(reader, writer):
                return
            ways = (self._pass_on(reader, there, self._watch), self._pass_on(back, writer, lambda data: None))
            tasks = [asyncio.ensure_future(way) for way in ways]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for each in tasks:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._open -= {writer, there}
            writer.close()
            there.close()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Return whether the client may go on. Here it knows of no gate."""
        return True

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, watch: Callable[[bytes], None]
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(PIECE_BYTES):
                watch(data)
                writer.write(data)
                await writer.drain()


class SocksGate(TcpGate):
    """The same for clients that take it for a SOCKS5 proxy. Whatever address they ask for, they reach `ports()`."""

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        with suppress(EOFError, OSError):
            await reader.readexactly((await reader.readexactly(2))[1])
            writer.write(b"\x05\x00")
            kind = (await reader.readexactly(4))[3]
            size = SOCKS_ADDRESS_BYTES.get(kind) or (await reader.readexactly(1))[0]
            await reader.readexactly(size + 2)
            writer.write(b"\x05\x00\x00\x01" + bytes(6))
            return True
        return False
