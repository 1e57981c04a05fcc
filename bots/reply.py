"""The one loop that shows a growing answer on a platform that can post and edit messages.

What is written is harmless to repeat: a message is posted as a placeholder, its id is written down, and only then is it
edited into (a part of) the answer. So a crash between any two steps is mended by doing the next one again.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from core.conversation import Answer, Ending, Event, Looking, Piece, Waiting
from core.errors import BotError
from core.voice import Voice

log = logging.getLogger(__name__)
Part = TypeVar("Part")


class Later(Exception):
    """The platform asks to wait, or cannot be reached: try again after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds:.0f} s")
        self.seconds = seconds


class Refused(Exception):
    """The platform will never take this message: the chat is gone, the bot is blocked or the message was deleted."""


class Draft(Protocol[Part]):
    """A message being written on some platform. A `Part` is what one of its messages can hold.

    Every method raises `Later` or `Refused` and nothing else of its SDK.
    """

    interval: float  # seconds between two edits of a growing answer

    def split(self, text: str) -> list[Part]:
        """The whole text as messages, in order; a longer text only ever changes the last parts."""
        ...

    async def status(self, sentence: str) -> bool:
        """Show what is happening where the platform has a place of its own for it; False where it has none."""
        ...

    async def post(self) -> str:
        """Post a placeholder; returns the platform's id of it."""
        ...

    async def edit(self, sent: str, part: Part, answer: Answer | None, last: bool) -> None:
        """Make the message say `part`. `answer` is None while it is being written; `last` carries the buttons."""
        ...


@dataclass(slots=True)
class _Progress:
    """What the reader has learned so far and the writer has to show."""

    text: str = ""
    status: str = ""
    answer: Answer | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)


async def reply(
    events: AsyncGenerator[Event],
    draft: Draft[Part],
    voice: Voice,
    sent: Sequence[str],
    record: Callable[[Sequence[str]], Awaitable[None]],
) -> Answer:
    """Show `events` until their answer stands on the platform, whole; returns the answer.

    `sent` are the ids of messages that an earlier run posted for the same answer; `record` writes the list down each
    time it grows. Errors of the events become their sentence. Raises `Refused` when nobody can read the answer.
    """
    progress = _Progress()
    reader = asyncio.create_task(_read(events, progress, voice))
    delivery = _Delivery(draft, list(sent), record)
    try:
        while True:
            await progress.changed.wait()
            progress.changed.clear()
            answer = progress.answer
            try:
                if progress.text or not await draft.status(progress.status):
                    await delivery.show(progress.text or progress.status, answer)
            except Later as later:
                await _nap(later.seconds, None)
                progress.changed.set()
                continue
            if answer is not None:
                return answer
            await _nap(draft.interval, progress)
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)


class _Delivery:
    """The messages that carry one answer."""

    def __init__(self, draft: Draft[Part], sent: list[str], record: Callable[[Sequence[str]], Awaitable[None]]) -> None:
        self._draft = draft
        self._sent = sent
        self._record = record
        self._shown: dict[int, object] = {}

    async def show(self, text: str, answer: Answer | None) -> None:
        parts = self._draft.split(text)
        for index, part in enumerate(parts):
            last = index == len(parts) - 1
            if index == len(self._sent):
                self._sent.append(await self._draft.post())
                await self._record(self._sent)
            state = (part, answer and answer.ending, last)
            if self._shown.get(index) != state:
                await self._draft.edit(self._sent[index], part, answer, last)
                self._shown[index] = state


async def _read(events: AsyncGenerator[Event], progress: _Progress, voice: Voice) -> None:
    try:
        async with aclosing(events):
            async for event in events:
                match event:
                    case Piece(text):
                        progress.text += text
                    case Waiting(place, seconds):
                        progress.status = _place(voice, place, seconds)
                    case Looking(picture, of):
                        progress.status = voice.say("Looking at picture {picture} of {of} …", picture=picture, of=of)
                    case Answer():
                        progress.text = event.text + _note(voice, event)
                        progress.answer = event
                progress.changed.set()
    except BotError as error:
        _fail(progress, voice.explain(error))
    except Exception:
        log.exception("an answer failed")
        _fail(progress, voice.say("Something went wrong on my side. Please try again."))


def _fail(progress: _Progress, sentence: str) -> None:
    progress.text = f"{progress.text}\n\n{sentence}" if progress.text else sentence
    progress.answer = Answer(progress.text, Ending.FAILED)
    progress.changed.set()


def _place(voice: Voice, place: int, seconds: float | None) -> str:
    if seconds is None:
        return voice.say("You are number {place} in line …", place=place)
    return voice.say("You are number {place} in line, about {seconds} s …", place=place, seconds=max(1, round(seconds)))


def _note(voice: Voice, answer: Answer) -> str:
    if answer.ending is Ending.STOPPED:
        note = voice.say("(stopped)")
    elif answer.ending is Ending.LENGTH:
        note = voice.say("(cut at the length limit; ask me to go on)")
    elif not answer.text.strip():
        note = voice.say("(the model had nothing to say)")
    else:
        return ""
    return f"\n\n{note}" if answer.text.strip() else note


async def _nap(seconds: float, progress: _Progress | None) -> None:
    """Sleep; with `progress`, wake as soon as the answer is complete."""
    end = asyncio.get_running_loop().time() + seconds
    while (left := end - asyncio.get_running_loop().time()) > 0:
        if progress is not None and progress.answer is not None:
            return
        await asyncio.sleep(min(left, 0.1))
