"""A request inside the engine: its prompt, its answer so far, and where its time went."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from core.assistant import Sampling
from core.conversation import Answer, Conversation, Ending, Event, Figures
from core.engine.prompt import Ints, Prompt
from core.engine.scheduler import Job
from core.engine.tokenizer import Detokenizer

if TYPE_CHECKING:
    import torch

    from core.engine.layers import KV

Sent = Event | BaseException


class Outlet:
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


@dataclass(slots=True, eq=False)
class Request:
    """A question on its way to the model thread; `closed` is noticed before the next step."""

    conversation: Conversation
    sampling: Sampling
    send: Callable[[Sent], None]
    closed: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True, eq=False, kw_only=True)
class Sequence(Job):
    prompt: Prompt
    sampling: Sampling
    detokenizer: Detokenizer
    generator: "torch.Generator"
    request: "Request"
    clock: Callable[[], float]
    kv: "KV | None" = None
    reused: int = 0  # rows of the prompt that were taken from the cache
    missing: list[str] = field(default_factory=list)  # ids of pictures still to be looked at
    new_pictures: int = 0
    looking: int = 0  # at which of them
    answer_ids: list[int] = field(default_factory=list)
    text: str = ""
    figures: Figures = field(default_factory=Figures)
    since: float = 0.0  # the beginning of the stage that `figures` counts next
    told: tuple[int, float | None, float] | None = None  # place, seconds and when it was said

    def close_stage(self, name: str) -> None:
        """Book the time since the last stage ended under `name`, a field of `Figures`."""
        now = self.clock()
        self.figures = replace(self.figures, **{name: getattr(self.figures, name) + now - self.since})
        self.since = now

    @property
    def computed(self) -> "KV":
        """Its keys and values, from admission on."""
        if self.kv is None:
            raise RuntimeError("not admitted")
        return self.kv

    def keys(self, following: list[int]) -> Ints:
        """What its rows hold: prompt, answer, and what follows. The last token of an answer may not be computed yet."""
        return np.concatenate([self.prompt.keys, np.array([*self.answer_ids, *following], np.int64)])

    def answer(self, ending: Ending) -> Answer:
        figures = replace(
            self.figures,
            prompt_tokens=len(self.prompt.ids),
            reused_tokens=self.reused,
            answer_tokens=len(self.answer_ids),
        )
        return Answer(self.text, ending, figures)
