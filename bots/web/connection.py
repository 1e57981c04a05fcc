"""End connections that stay in one state for too long. uvicorn's own only knows a time-out for idle ones."""

import asyncio
import math
import socket
import struct
from collections.abc import Callable, Hashable

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from bots.web.access.address import unmapped

LINGER_SECONDS = 5.0  # for the rest of a request that is answered, and for a closed connection's last bytes
PAUSE_BYTES = 48 * 1024  # read when asyncio lets us write again: from its high to its low water mark
SLOWEST_READER_BYTES_PER_SECOND = 16 * 1024  # on average
RESET = struct.pack("ii", 1, 0)  # linger for no time, so that closing drops unsent bytes


class Connection(H11Protocol):
    """A connection with time limits. `is_overdue` tells whether one is exceeded; `patience` is in seconds.

    Waiting for the application is no such state, because what the application waits for has limits of its own.
    """

    def __init__(
        self, config: uvicorn.Config, state: ServerState, patience: float, lost: Callable[["Connection"], None]
    ) -> None:
        super().__init__(config, state, {})
        self._patience = patience
        self._linger = min(LINGER_SECONDS, patience)
        self._lost = lost
        self._ended = False
        self._state: Hashable = None
        self._since = 0.0
        self._credit = patience  # seconds that its reader may still keep us waiting
        self._paused_at = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.client:
            self.client = (unmapped(self.client[0]), self.client[1])
        if self._ended:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._lost(self)

    def abort(self) -> None:
        """End it at once. What its reader has not read does not stay in the system's memory either."""
        self._ended = True
        if self.transport is None:
            return
        if self.transport.get_write_buffer_size():
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()

    def is_overdue(self, now: float) -> bool:
        """Return whether it has been in one state for too long. Call this often, because it notices the changes."""
        state, limit = self._condition()
        if state != self._state:
            self._state, self._since = state, now
        return now - self._since > limit

    def _condition(self) -> tuple[Hashable, float]:
        """Return what is awaited and for how many seconds. An occasional byte does not change it."""
        if self.transport is None or self.transport.is_closing():
            return "closing", self._linger
        if self.flow.write_paused:
            return ("writing", self._paused_at), self._credit
        if self.conn.their_state is h11.IDLE:
            return ("head", self.cycle), self._patience
        if self.cycle is not None and self.cycle.response_complete:
            return ("rest of the body", self.cycle), self._linger
        return "working", math.inf

    def pause_writing(self) -> None:
        super().pause_writing()
        self._paused_at = self.loop.time()

    def resume_writing(self) -> None:
        """Give back the time to a reader that reads at a fair rate."""
        super().resume_writing()
        waited = self.loop.time() - self._paused_at
        self._credit = min(self._patience, self._credit - waited + PAUSE_BYTES / SLOWEST_READER_BYTES_PER_SECOND)

    def send_400_response(self, msg: str) -> None:
        """Answer something that is not HTTP, unless the request was answered already."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()
