"""The one loop that shows a growing answer on a platform that can post and edit messages."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from bots.conversing.draft import Draft, File, Later, Part
from bots.conversing.messages import Delivery
from core.conversation import Answer, Ending, Event, Looking, Piece, Waiting
from core.errors import BotError, Interrupted
from core.i18n import Translator

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Progress:
    """What the reader has learned so far and the writer has to show."""

    text: str = ""
    status: str = ""
    files: list[File] = field(default_factory=list)
    answer: Answer | None = None
    refused: bool = False  # the answer is a sentence of the bot's own, said instead of one
    down: Interrupted | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    complete: asyncio.Event = field(default_factory=asyncio.Event)


async def reply(
    events: AsyncGenerator[Event | File],
    draft: Draft[Part],
    translator: Translator,
    sent: Sequence[str],
    record: Callable[[Sequence[str]], Awaitable[None]],
) -> Answer:
    """Show `events` until their answer stands on the platform, whole; returns the answer.

    `sent` are the ids of messages that an earlier run posted for the same answer; `record` writes the list down each
    time it changes. Errors of the events become their sentence, but for `Interrupted`, which is raised: the same
    question can be answered later. Raises `Refused` when nobody can read it any more.
    """
    progress = _Progress()
    progress.changed.set()  # something stands there at once, before the first event
    reader = asyncio.create_task(_read(events, progress, translator))
    delivery = Delivery(draft, list(sent), record, translator)
    try:
        while True:
            await progress.changed.wait()
            progress.changed.clear()
            if progress.down is not None:
                raise progress.down
            answer = progress.answer
            if draft.keeps and progress.refused:
                progress.refused, delivery = False, Delivery(draft, [], record, translator)
            try:
                if not await _aside(draft, progress):
                    text = progress.text if answer else progress.text or progress.status
                    await delivery.show(text, answer, progress.files if answer else ())
            except Later as later:
                # While the text grows the pause ends with the answer, which is tried at once; a draft whose platform
                # forbids that too says Later again.
                await _nap(later.seconds, None if answer else progress.complete)
                progress.changed.set()
                continue
            if answer is not None:
                return answer
            await _nap(draft.interval, progress.complete)
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)


async def _aside(draft: Draft[Part], progress: _Progress) -> bool:
    """Whether the platform showed it in a place of its own, so that no message is needed yet."""
    if progress.answer is not None:
        return False
    return await (draft.preview(progress.text) if progress.text else draft.status(progress.status))


async def _read(events: AsyncGenerator[Event | File], progress: _Progress, translator: Translator) -> None:
    try:
        async with aclosing(events):
            async for event in events:
                match event:
                    case Piece(text):
                        progress.text += text
                    case Waiting(place, seconds):
                        progress.status = _place(translator, place, seconds)
                    case Looking(picture, of):
                        progress.status = translator.say(
                            "Looking at picture {picture} of {of} …", picture=picture, of=of
                        )
                    case File():
                        progress.files.append(event)
                    case Answer():
                        only_files = progress.files and not event.text
                        progress.refused = bool(event.text) and not progress.text and not progress.files
                        progress.text = "" if only_files else event.text + _note(translator, event)
                        progress.answer = event
                        progress.complete.set()
                progress.changed.set()
        if progress.answer is None:
            raise RuntimeError("the events ended without an answer")
    except Interrupted as error:
        progress.down = error
        progress.complete.set()
        progress.changed.set()
    except BotError as error:
        _fail(progress, translator.explain(error))
    except Exception:
        log.exception("an answer failed")
        _fail(progress, translator.say("Something went wrong on my side. Please try again."))


def _fail(progress: _Progress, sentence: str) -> None:
    progress.refused = not progress.text
    progress.text = f"{progress.text}\n\n{sentence}" if progress.text else sentence
    progress.answer = Answer(progress.text, Ending.FAILED)
    progress.complete.set()
    progress.changed.set()


def _place(translator: Translator, place: int, seconds: float | None) -> str:
    if seconds is None:
        return translator.say("You are number {place} in line …", place=place)
    return translator.say(
        "You are number {place} in line, about {seconds} s …", place=place, seconds=max(1, round(seconds))
    )


def _note(translator: Translator, answer: Answer) -> str:
    if answer.ending is Ending.FAILED:  # it was saved, but the process ended before anybody was told
        note = translator.say("Something went wrong on my side. Please try again.")
    elif answer.ending is Ending.STOPPED:
        note = translator.say("(stopped)")
    elif answer.ending is Ending.LENGTH:
        note = translator.say("(This is as long as one answer can be. Say “go on” for the rest.)")
    elif not answer.text.strip():
        note = translator.say("(No answer came. Please ask in other words.)")
    else:
        return ""
    return f"\n\n{note}" if answer.text.strip() else note


async def _nap(seconds: float, wake: asyncio.Event | None) -> None:
    """Sleep; with `wake`, no longer than until it is set."""
    if wake is None:
        await asyncio.sleep(seconds)
        return
    with suppress(TimeoutError):
        await asyncio.wait_for(wake.wait(), seconds)
