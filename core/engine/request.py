"""What goes to the model thread, and the way a question's events come back."""

import asyncio
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field

from core.conversation import Conversation, Event
from core.sampling import Sampling

Sent = Event | BaseException


class EventChannel:
    """Carries events from the model thread to the coroutine that reads them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Sent] = asyncio.Queue()

    def send(self, event: Sent) -> None:
        """From any thread."""
        with suppress(RuntimeError):  # a loop that has ended reads nothing any more
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)

    async def receive(self) -> Event:
        event = await self._events.get()
        if isinstance(event, BaseException):
            raise event
        return event


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
