"""Define the messages to the model thread, and the channel that carries a question's events back."""

import asyncio
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field

from core.answer import Answer
from core.conversation import Conversation
from core.engine.grammar import Grammar
from core.events import Event, Tell
from core.sampling import Sampling

ChannelItem = Event | Answer | BaseException


class EventChannel:
    """Carries a question's events from the model thread to the event loop. `answer` is the final answer."""

    def __init__(self, tell: Tell) -> None:
        self._loop = asyncio.get_running_loop()
        self._tell = tell
        self.answer: asyncio.Future[Answer] = self._loop.create_future()

    def send(self, event: ChannelItem) -> None:
        """Send an event. Thread-safe."""
        with suppress(RuntimeError):  # the event loop may have ended
            self._loop.call_soon_threadsafe(self._receive, event)

    def _receive(self, event: ChannelItem) -> None:
        if self.answer.done():  # the caller stopped waiting
            return
        if isinstance(event, Answer):
            self.answer.set_result(event)
        elif isinstance(event, BaseException):
            self.answer.set_exception(event)
        else:
            try:
                self._tell(event)
            except Exception as error:  # a bug in the listener ends only this question
                self.answer.set_exception(error)


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is said instead of an answer that is less certain than `least`, see `core.engine.certainty`."""

    sentence: str
    least: float


@dataclass(frozen=True, slots=True, eq=False)
class EngineRequest:
    """A question for the model thread.

    It ends before the next step once `closed` is set. `trace` is its id in the log (`core.trace`). `arrived` decides
    its place in the queue (`core.work_context`). `grammar` is of this answer alone. With a `doubt` an answer
    that is made up is replaced.
    """

    conversation: Conversation
    sampling: Sampling
    send: Callable[[ChannelItem], None]
    trace: str
    arrived: float = field(default_factory=time.monotonic)
    closed: threading.Event = field(default_factory=threading.Event)
    grammar: Grammar | None = None
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True)
class Forget:
    """Tells the model thread to forget a removed conversation, if one is given, and pictures no longer shown."""

    conversation_id: str | None
    image_ids: Collection[str]


@dataclass(frozen=True, slots=True)
class KeepOnly:
    """Tells the model thread all conversations and pictures that exist."""

    conversation_ids: Collection[str]
    image_ids: Collection[str]
