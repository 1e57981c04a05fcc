"""Say that an answer is to stop. It is noted in one place, whatever is done for the answer just then."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from core.answer import Answer


class Stop:
    """Whether the answer to a message is to stop, and whether it still can.

    A message keeps it from its arrival to its end: while an album gathers, through all attempts and the pauses between
    them. New words get a new one. The answer that is `saved`, or is `whole` and only has to be stored and shown, is not
    stopped any more. `writing` is the model's part of it.
    """

    def __init__(self, requested: bool = False) -> None:
        self.saved = self.whole = False
        self.writing: asyncio.Task[Answer] | None = None
        self._requested = asyncio.Event()
        if requested:
            self._requested.set()

    @property
    def requested(self) -> bool:
        return self._requested.is_set()

    def request(self) -> bool:
        """Stop at once: what the model writes ends, and what it has not begun does not begin.

        Return False if it is too late for that.
        """
        if self.saved or self.whole:
            return False
        self._requested.set()
        if self.writing is not None:
            self.writing.cancel()
        return True

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Let the answer be stopped while the block writes it. What fails may be stopped until it is tried again."""
        self.whole = False
        try:
            yield
        except BaseException:
            self.whole = False
            raise
        self.whole = True

    async def wait(self, seconds: float) -> None:
        """Wait until somebody stops it, and at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._requested.wait()
