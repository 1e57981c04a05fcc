"""A connection that does not wait for ever for the head of a request: uvicorn's own would."""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


def patient_protocol(seconds: float) -> type[H11Protocol]:
    """Closes a connection whose request line and headers are not complete after so many seconds."""

    class Patient(H11Protocol):
        _end: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._relax()

        def _watch(self) -> None:
            """A byte now and then does not begin the time anew."""
            if self.conn.their_state is not h11.IDLE:
                self._relax()
            elif self._end is None:
                self._end = self.loop.call_later(seconds, self.transport.close)

        def _relax(self) -> None:
            if self._end is not None:
                self._end.cancel()
                self._end = None

    return Patient
