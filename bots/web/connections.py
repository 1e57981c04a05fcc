"""Accept connections, bound them in all and per address, and end those that stand still.

asyncio's own accepting has no bound, and a lack of descriptors makes it log a traceback thousands of times a second.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence

from bots.web.access.address import address_of, is_within
from bots.web.connection import Connection

log = logging.getLogger(__name__)
ACCEPT_AGAIN_SECONDS = 1.0  # after a lack of descriptors or memory
CHECK_SECONDS = 0.25  # between two checks of how long each connection has been in its state

Lost = Callable[[Connection], None]


class Connections:
    """The open connections. `make` gets a function to call when its connection is lost.

    `proxies` are exempt from the limit per address.
    """

    def __init__(
        self, make: Callable[[Lost], Connection], limit: int, limit_per_address: int, proxies: Sequence[str] = ()
    ) -> None:
        self._make = make
        self._limit = limit
        self._limit_per_address = limit_per_address
        self._proxies = proxies
        self._open: dict[str, dict[Connection, None]] = {}  # by address or proxy, oldest first
        self._connecting: set[asyncio.Task[None]] = set()

    async def serve(self, listener: socket.socket) -> None:
        """Accept until cancelled. Open connections stay open."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._accept(listener))
            group.create_task(self._end_overdue())

    def abort(self) -> None:
        """End all of them at once."""
        for connections in list(self._open.values()):
            for connection in list(connections):
                connection.abort()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, peer = await loop.sock_accept(listener)
            except ConnectionAbortedError:
                continue
            except OSError as error:  # no descriptors or no memory; trying again at once would fail again
                log.error("no connection can be accepted now: %s", error.strerror)
                await asyncio.sleep(ACCEPT_AGAIN_SECONDS)
                continue
            if self._has_room(self._owner(peer[0])):
                self._connect(client, self._owner(peer[0]))
            else:
                client.close()
            await asyncio.sleep(0)  # accepting many must not delay the others

    def _connect(self, client: socket.socket, owner: str) -> None:
        def lost(connection: Connection) -> None:
            mine.pop(connection, None)
            if not mine and self._open.get(owner) is mine:
                del self._open[owner]

        mine = self._open.setdefault(owner, {})
        connection = self._make(lost)
        mine[connection] = None
        task = asyncio.create_task(_attach(client, connection, lost))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def _owner(self, host: str) -> str:
        return host if is_within(host, self._proxies) else address_of(host)

    def _has_room(self, owner: str) -> bool:
        """Return whether one more may come. If all places are taken, the address with the most loses one."""
        mine = len(self._open.get(owner, ()))
        if mine >= self._limit_per_address and not is_within(owner, self._proxies):
            log.warning("connections are refused: too many from one address")
            return False
        if sum(map(len, self._open.values())) < self._limit:
            return True
        log.warning("connections are refused or ended: all places are taken")
        others = {each: open_ for each, open_ in self._open.items() if not is_within(each, self._proxies)}
        most = max(others.values(), key=len, default={})
        if len(most) <= mine + 1:
            return False
        oldest = next(iter(most))
        del most[oldest]
        oldest.abort()
        return True

    async def _end_overdue(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            now = loop.time()
            for connections in list(self._open.values()):
                for connection in [each for each in connections if each.is_overdue(now)]:
                    connection.abort()


async def _attach(client: socket.socket, connection: Connection, lost: Lost) -> None:
    try:
        await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, client)
    except OSError:  # it was reset at this moment
        client.close()
        lost(connection)
