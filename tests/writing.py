"""Provide answers that are cancelled while they are written."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from core.answer import Answer
from core.events import Event, Piece


async def writing(
    ask: Callable[[Callable[[Event], None]], Coroutine[Any, Any, Answer]], enough: type[object] = Piece
) -> "asyncio.Task[Answer]":
    """Return an answer that has told an event of that kind. Cancelling the task simulates a lost client."""
    heard = asyncio.Event()

    def tell(event: Event) -> None:
        if isinstance(event, enough):
            heard.set()

    task = asyncio.create_task(ask(tell))
    waiting = asyncio.create_task(heard.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    return task


async def hang_up(task: "asyncio.Task[Answer]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
