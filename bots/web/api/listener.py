"""Somebody who waits for a whole answer, and may hang up."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

from core.conversation import Answer, Event, Removed

Result = TypeVar("Result")


async def answer_of(events: AsyncGenerator[Event], request: Request) -> tuple[Answer, tuple[int, ...]]:
    """The answer the events end with, and the pictures that had to make room.

    Raises `ClientDisconnect` as soon as nobody waits for it any more.
    """
    return await while_wanted(request, _last(events))


async def while_wanted(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """What the work returns. Cancels it and raises `ClientDisconnect` as soon as nobody waits for it any more."""
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_hung_up(request))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        for task in (working, gone):
            task.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)


async def _last(events: AsyncGenerator[Event]) -> tuple[Answer, tuple[int, ...]]:
    removed: tuple[int, ...] = ()
    async for event in events:
        if isinstance(event, Removed):
            removed = event.numbers
        elif isinstance(event, Answer):
            return event, removed
    raise RuntimeError("the events of an answer ended without one")


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
