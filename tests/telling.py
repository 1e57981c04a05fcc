"""Let tests write an answer's events as a generator."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any

from bots.conversing.draft import Draft
from bots.conversing.events import Ask, File, Tell
from bots.conversing.streamed_reply import StreamedReply
from core.answer import Answer
from core.events import Event
from core.i18n import Translator

Told = AsyncGenerator[Event | File | Answer]


def told(events: Told) -> Ask:
    """Tell the events, and return the answer at their end."""

    async def ask(tell: Tell) -> Answer:
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Answer):
                    return event
                tell(event)
        raise AssertionError("the events ended without an answer")

    return ask


async def reply(
    events: Told,
    draft: Draft[Any],
    translator: Translator,
    sent: Sequence[str],
    record: Callable[[Sequence[str]], Awaitable[None]],
) -> Answer:
    return await StreamedReply(draft, translator, sent, record).write(told(events))
