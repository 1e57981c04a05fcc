"""What goes to the model thread, and the way a question's events come back."""

import asyncio
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field

from core.conversation import Answer, Conversation, Event, Tell
from core.sampling import Sampling

Sent = Event | Answer | BaseException


class EventChannel:
    """Carries a question's events from the model's thread to the event loop, where they are told, and its `answer`."""

    def __init__(self, tell: Tell) -> None:
        self._loop = asyncio.get_running_loop()
        self._tell = tell
        self.answer: asyncio.Future[Answer] = self._loop.create_future()

    def send(self, event: Sent) -> None:
        """From any thread."""
        with suppress(RuntimeError):  # a loop that has ended reads nothing any more
            self._loop.call_soon_threadsafe(self._receive, event)

    def _receive(self, event: Sent) -> None:
        if self.answer.done():  # nobody waits for it any more
            return
        if isinstance(event, Answer):
            self.answer.set_result(event)
        elif isinstance(event, BaseException):
            self.answer.set_exception(event)
        else:
            try:
                self._tell(event)
            except Exception as error:  # a bug of whoever listens ends this question and no other
                self.answer.set_exception(error)


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """`closed` is noticed before the next step; `trace` is the question's id in the log (`core.trace`); its place in
    line is that of when it `arrived` (`core.asker`)."""

    conversation: Conversation
    sampling: Sampling
    send: Callable[[Sent], None]
    trace: str
    arrived: float = field(default_factory=time.monotonic)
    closed: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Forget:
    """A conversation that is gone, or none, and images that no conversation shows any more."""

    conversation_id: str | None
    image_ids: Collection[str]


@dataclass(frozen=True, slots=True)
class KeepOnly:
    """All the conversations and images that there are."""

    conversation_ids: Collection[str]
    image_ids: Collection[str]
