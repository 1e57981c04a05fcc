"""Share one answer being written among its readers: a late reader gets the text so far first."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from core.conversation import Answer, Begun, Event, Piece, Removed


class Broadcast:
    """An answer's events. `text` and `numbers` are its question's, for a page that opens the conversation meanwhile.

    A reader has no buffer, only a position among the `events`. There are only as many events as an answer has.
    """

    def __init__(self, conversation_id: str, text: str = "", numbers: tuple[int, ...] = ()) -> None:
        self.conversation_id = conversation_id
        self.text = text
        self.numbers = numbers
        self.notes: Sequence[str] = ()  # about pictures that were left out
        self.attempts = 0  # that failed
        self.stopped = False  # before it began
        self.events: list[Event] = []
        self._answer: Answer | None = None
        self._error: Exception | None = None
        self._changed = asyncio.Event()

    @property
    def over(self) -> bool:
        return self._answer is not None or self._error is not None

    @property
    def removed(self) -> tuple[int, ...]:
        """The pictures that were removed to make room."""
        return next((event.numbers for event in self.events if isinstance(event, Removed)), ())

    @property
    def so_far(self) -> list[Event]:
        """Return what a new reader needs: the text, and its position."""
        text = "".join(event.text for event in self.events if isinstance(event, Piece))
        return [*([Piece(text)] if text else ()), *(it for it in self.events[-1:] if not isinstance(it, Piece))]

    def tell(self, event: Event) -> None:
        if not isinstance(event, Begun):  # readers need no pictures, and events are kept for a while
            self.events.append(event)
            self._wake()

    def finish(self, answer: Answer) -> None:
        self._answer = answer
        self._wake()

    def fail(self, error: Exception) -> None:
        self._error = error
        self._wake()

    async def changes(self, heard: int, seconds: float | None = None) -> bool:
        """Wait for more than the first `heard` events, or the end. Return False if neither came in so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while len(self.events) == heard and not self.over:
                    await self._changed.wait()
        return len(self.events) > heard or self.over

    async def answer(self) -> Answer:
        """Wait for the answer. Raises the error that came instead."""
        while not self.over:
            await self._changed.wait()
        if self._answer is None:
            raise self._error or RuntimeError("an answer ended without one")
        return self._answer

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
