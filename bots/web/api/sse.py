"""An answer as server-sent events: waiting, looking, piece, html, and at last done or error."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from bots.web.api.view import Viewer
from bots.web.errors import log_bug, status_of
from bots.web.markdown import render
from bots.web.receiver import Receiver, Writing
from core.answers.boxes import visible
from core.answers.transcription import as_markdown
from core.conversation import Answer, Event, Looking, Piece, Removed, Waiting
from core.errors import BotError

HEARTBEAT_S = 10.0  # so that nothing between us and the reader takes a slow answer for a dead line
RENDER_S = 0.25  # seconds between two renderings of a growing answer


@dataclass(frozen=True, slots=True)
class Stream:
    """`html` adds the text so far with its Markdown rendered, for readers that show it as it grows.

    `questions` are the conversation's, this one last; `notes` say what was left out of the pictures.
    """

    receiver: Receiver
    writing: Writing
    viewer: Viewer
    html: bool
    questions: Sequence[str] = ()
    notes: Sequence[str] = ()

    async def events(self) -> AsyncIterator[bytes]:
        yield _event("conversation", {"conversation": self.writing.conversation_id})
        try:
            async with aclosing(self._events()) as events:
                async for event in events:
                    yield event
        except BotError as error:
            detail = self.viewer.translator.explain(error)
            yield _event("error", {"detail": detail, "status": status_of(error), "retryable": error.retryable})
        except Exception:
            log_bug()
            sentence = self.viewer.translator.say("Something went wrong on my side. Please try again.")
            yield _event("error", {"detail": sentence, "status": 500, "retryable": True})

    async def _events(self) -> AsyncGenerator[bytes]:
        text, shown, rendered_at = "", "", 0.0
        removed: tuple[int, ...] = ()
        async with aclosing(_with_heartbeat(self.writing.events)) as beating:
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
                        now = visible(text)  # without the JSON of boxes
                        if now.startswith(shown) and now != shown:
                            yield _event("piece", {"text": now[len(shown) :]})
                            shown = now
                        if self.html and time.monotonic() - rendered_at >= RENDER_S:
                            rendered_at = time.monotonic()
                            growing = as_markdown(now, self.questions, growing=True)
                            yield _event("html", {"html": render(growing)})
                    case Removed(numbers):
                        removed = numbers
                    case Answer():
                        yield _event("done", await self._done(event, removed))

    async def _done(self, answer: Answer, removed: Sequence[int]) -> dict[str, Any]:
        known, number = await self.receiver.written(self.writing, answer)
        view = self.viewer.turn(known, number or 1).model_dump()
        what = {"conversation": known.id, "number": number, "pictures": view["pictures"], "removed": removed}
        return {**what, "notes": self.viewer.notes(self.notes, removed), **view["answer"]}


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
