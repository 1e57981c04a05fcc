"""Limit how large and how slow bodies of requests may be, and cut answers into pieces."""

import asyncio
from collections.abc import Iterator

from starlette.types import Message, Receive

from bots.web.errors import BodyTooSlow
from core.errors import TooLarge

SLOWEST_UPLOAD_BYTES_PER_SECOND = 4 * 1024  # on average; a telephone with one bar sends twice as much
PIECE_BYTES = 64 * 1024  # of an answer; no more than that waits for a slow reader


def receive_metered(receive: Receive, patience: float, limit: int, too_much: TooLarge) -> Receive:
    """Return a `receive` that counts bytes and does not wait for ever.

    `patience` is in seconds, `limit` in bytes. It raises `too_much` and `BodyTooSlow`.
    """
    loop = asyncio.get_running_loop()
    start, received, complete = loop.time(), 0, False

    async def receive_next() -> Message:
        nonlocal received, complete
        if complete:  # only a disconnect can follow, which may take as long as the answer
            return await receive()
        left = start + patience + received / SLOWEST_UPLOAD_BYTES_PER_SECOND - loop.time()
        try:
            # Not wait_for: in Python 3.11 it loses a cancellation that comes together with the message.
            async with asyncio.timeout(max(0.0, min(patience, left))):
                message = await receive()
        except TimeoutError:
            raise BodyTooSlow("The upload stopped for too long. Please try again.") from None
        received += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        if received > limit:
            raise too_much
        return message

    return receive_next


def pieces(message: Message) -> Iterator[Message]:
    """Yield a message. One with a long body becomes several, each sent when the one before was read."""
    body = message.get("body", b"")
    if len(body) <= PIECE_BYTES:
        yield message
        return
    for start in range(0, len(body), PIECE_BYTES):
        more = message.get("more_body", False) or start + PIECE_BYTES < len(body)
        yield {**message, "body": body[start : start + PIECE_BYTES], "more_body": more}
