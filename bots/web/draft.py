"""One answer being written, and everybody who reads it: whoever comes late gets the text so far first."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from core.conversation import Answer, Event, Piece
from core.errors import BotError


class Broadcast:
    """`text` and `numbers` are of its question, for a page that opens the conversation meanwhile."""

    def __init__(self, conversation_id: str, text: str = "", numbers: tuple[int, ...] = ()) -> None:
        self.conversation_id = conversation_id
        self.text = text
        self.numbers = numbers
        self.notes: Sequence[str] = ()  # what was left out of its pictures
        self.attempts = 0  # that failed
        self.stopped = False  # before it began
        self._events: list[Event] = []
        self._error: BotError | None = None
        self._changed = asyncio.Event()

    @property
    def over(self) -> bool:
        return self._error is not None or bool(self._events and isinstance(self._events[-1], Answer))

    def publish(self, event: Event) -> None:
        self._events.append(event)
        self._wake()

    def fail(self, error: BotError) -> None:
        self._error = error
        self._wake()

    async def listen(self) -> AsyncGenerator[Event]:
        """The events, ending with the answer. Raises the error the answer ended with."""
        so_far = "".join(event.text for event in self._events if isinstance(event, Piece))
        heard = len(self._events)
        if so_far:
            yield Piece(so_far)
        if heard and not isinstance(self._events[heard - 1], Piece):
            yield self._events[heard - 1]  # the answer, or where in the line it is
        while True:
            changed = self._changed
            while heard < len(self._events):
                heard += 1
                yield self._events[heard - 1]
            if self._error is not None:
                raise self._error
            if self.over:
                return
            if changed is self._changed:
                await changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
