"""Share one answer being written among its readers: a late reader gets the text so far first."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

from bots.conversing.answer_action import AnswerAction
from bots.conversing.events import Ask, File
from bots.web.message import WebMessage
from bots.web.submission import Submission
from core.answer import Answer, Ending
from core.errors import ConversationGone
from core.events import BeganAgain, ConversationLoaded, Event, PicturesRemoved, Piece, Thought


def text_of(events: Iterable[Event | File], kind: type[Piece] | type[Thought] = Piece) -> str:
    """Return what the events say, or what the model thinks, since the answer began again for the last time."""
    pieces: list[str] = []
    for event in events:
        if isinstance(event, BeganAgain):
            pieces = [event.thought] if kind is Thought else []
        elif isinstance(event, kind):
            pieces.append(event.text)
    return "".join(pieces)


class Broadcast:
    """An answer's events.

    `key` is what the answer is saved under, and `web_message` what it answers. A question that is on no disk has its
    `submission`: only its one reader waits for it.

    A reader has no buffer, only a position among the `events`. There are only as many events as an answer has.
    """

    def __init__(
        self,
        conversation_id: str,
        key: str,
        web_message: WebMessage = WebMessage(""),
        submission: Submission | None = None,
    ) -> None:
        self.conversation_id = conversation_id
        self.key = key
        self.web_message = web_message
        self.submission = submission
        self.notes: list[str] = []  # what was left out of its pictures
        self.attempts = 0  # that failed
        self.begun = False
        self.readers = 0
        self.abandoned = False  # by its only reader
        self.events: list[Event | File] = []
        self._answer: Answer | None = None
        self._error: Exception | None = None
        self._changed = asyncio.Event()

    def note(self, sentence: str) -> None:
        """Add a sentence about what was left out. A question that is tried again says it once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    @property
    def over(self) -> bool:
        return self._answer is not None or self._error is not None

    @property
    def removed(self) -> tuple[int, ...]:
        """The pictures that were removed to make room."""
        return next((event.numbers for event in self.events if isinstance(event, PicturesRemoved)), ())

    @property
    def text(self) -> str:
        return text_of(self.events)

    @property
    def last(self) -> Event | File | None:
        """What was told last."""
        return self.events[-1] if self.events else None

    @property
    def so_far(self) -> list[Event | File]:
        """What somebody who comes now has to know: the text, and where in the line it is."""
        thought = text_of(self.events, Thought)
        return [
            *([Thought(thought)] if thought else ()),
            *([Piece(self.text)] if self.text else ()),
            *(it for it in self.events[-1:] if not isinstance(it, Thought | Piece)),
        ]

    def offer(self, actions: tuple[AnswerAction, ...]) -> None:
        """Ignore the actions: a page finds them in the finished answer."""

    async def write(self, ask: Ask) -> None:
        self.finish(await ask(self.tell))

    def tell(self, event: Event | File) -> None:
        if isinstance(event, ConversationLoaded):  # readers need no pictures, and the events are kept for a while
            self.begun = True
        elif not (
            self.attempts and isinstance(event, Thought | Piece | BeganAgain)
        ):  # heard already; the whole answer comes at the end
            self.events.append(event)
            self._wake()

    def finish(self, answer: Answer) -> None:
        self._answer = answer
        self._wake()

    def give_up(self) -> None:
        """End the answer because its conversation was deleted."""
        if self.over:
            return
        if self.begun:
            self.finish(Answer(self.text, Ending.STOPPED))
        else:
            self.fail(ConversationGone())

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

    async def follow(self, heard: int, seconds: float) -> AsyncIterator[Sequence[Event | File]]:
        """Yield what comes after the first `heard` events, until the end. It is nothing after so many quiet seconds."""
        with self._read():
            while not self.over or len(self.events) > heard:
                is_news = await self.changes(heard, seconds)
                news = self.events[heard:]
                heard += len(news)
                if news or not is_news:
                    yield news

    async def answer(self) -> Answer:
        """Wait for the answer. Raises the error that came instead."""
        with self._read():
            while not self.over:
                await self._changed.wait()
        if self._answer is None:
            raise self._error or RuntimeError("an answer ended without one")
        return self._answer

    @contextmanager
    def _read(self) -> Iterator[None]:
        self.readers += 1
        try:
            yield
        finally:
            self.readers -= 1

    @property
    def ended(self) -> Answer | Exception | None:
        """The answer, or the error that came instead."""
        return self._error if self._answer is None else self._answer

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
