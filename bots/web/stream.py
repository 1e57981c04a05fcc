"""An answer as server-sent events: waiting, looking, piece, html, and at last done or error."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from bots.web.markup import render
from bots.web.problem import log_bug, status_of
from bots.web.schema import Analysis
from core.conversation import Answer, Event, Looking, Piece, Waiting
from core.errors import BotError
from core.voice import Voice

HEARTBEAT_S = 10.0  # so that nothing between us and the reader takes a slow answer for a dead line
RENDER_S = 0.25  # seconds between two renderings of a growing answer


async def sse(
    events: AsyncGenerator[Event], conversation_id: str, key: str | None, voice: Voice, html: bool
) -> AsyncIterator[bytes]:
    """`html` adds the text so far with its Markdown rendered, for readers that show it as it grows."""
    yield _event("conversation", {"conversation": conversation_id})
    text, rendered_at = "", 0.0
    try:
        async with aclosing(_with_heartbeat(events)) as beating:
            async for event in beating:
                match event:
                    case None:
                        yield b": still here\n\n"
                    case Waiting(place, seconds):
                        yield _event("waiting", {"place": place, "seconds": seconds})
                    case Looking(picture, of):
                        yield _event("looking", {"picture": picture, "of": of})
                    case Piece(piece):
                        text += piece
                        yield _event("piece", {"text": piece})
                        if html and time.monotonic() - rendered_at >= RENDER_S:
                            rendered_at = time.monotonic()
                            yield _event("html", {"html": render(text)})
                    case Answer():
                        yield _event("done", done(conversation_id, key, event))
    except BotError as error:
        yield _event("error", {"detail": voice.explain(error), "status": status_of(error)})
    except Exception:
        log_bug()
        sentence = voice.say("Something went wrong on my side. Please try again.")
        yield _event("error", {"detail": sentence, "status": 500})


def done(conversation_id: str, key: str | None, answer: Answer) -> dict[str, Any]:
    return Analysis.of(conversation_id, answer).model_dump() | {"html": render(answer.text), "key": key}


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


async def _with_heartbeat(events: AsyncGenerator[Event]) -> AsyncGenerator[Event | None]:
    """The events, and None whenever there was none for a while; closing it closes them."""
    async with aclosing(events):
        while True:
            step = asyncio.ensure_future(anext(events, None))
            try:
                while not (await asyncio.wait({step}, timeout=HEARTBEAT_S))[0]:
                    yield None
            finally:
                if not step.done():
                    step.cancel()
                    await asyncio.gather(step, return_exceptions=True)
            event = step.result()
            if event is None:
                return
            yield event
