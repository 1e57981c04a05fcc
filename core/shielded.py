"""Let work that has begun come to its end, also if whoever awaits it is cancelled."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


async def shielded(work: Coroutine[Any, Any, Result]) -> Result:
    """Return what `work` returns. If this is cancelled, it first waits for the end of the work, whose error is dropped.

    Of `asyncio.shield` alone nobody knows when the work ends, so what comes next could overtake it.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody asks for it any more
        await asyncio.wait({task})
        raise
