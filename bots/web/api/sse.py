"""Send an answer as server-sent events: waiting, looking, piece, html, again, and at last done or error."""

import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from bots.conversing.events import File
from bots.web.api.view import Viewer, thoughts_summary
from bots.web.broadcast import Broadcast
from bots.web.errors import code_of, log_bug, status_of
from bots.web.markdown import fold, render
from bots.web.receiver import Receiver
from core.answer import Answer
from core.answers.transcription import as_markdown
from core.errors import BotError
from core.events import BeganAgain, Event, Looking, Piece, Thought, Waiting
from core.i18n import Translator

STILL_HERE = b": still here\n\n"
HEARTBEAT_SECONDS = 10.0  # so that no proxy takes a slow answer for a dead connection
RENDER_SECONDS = 0.25  # between two renderings of a growing answer


@dataclass(slots=True)
class Stream:
    """An answer's events. `html` adds the text so far with its Markdown rendered, for readers that show it as it grows.

    `receiver` has the conversation, if it is kept. `questions` are the conversation's, with this one last.
    """

    receiver: Receiver | None
    broadcast: Broadcast
    viewer: Viewer
    html: bool
    questions: Sequence[str] = ()
    _thoughts: str = field(default="", init=False)
    _text: str = field(default="", init=False)
    _rendered_at: float = field(default=0.0, init=False)

    async def events(self) -> AsyncIterator[bytes]:
        broadcast = self.broadcast
        yield _event("conversation", {"conversation": broadcast.conversation_id if self.receiver else None})
        try:
            heard = len(broadcast.events)  # counted before sending, because more may come meanwhile
            for part in self._told(broadcast.so_far):
                yield part
            async for news in broadcast.follow(heard, HEARTBEAT_SECONDS):
                if not news:
                    yield STILL_HERE
                for part in self._told(news):
                    yield part
            yield _event("done", await self._done(await broadcast.answer()))
        except BotError as error:
            yield _event("error", _problem(error, self.viewer.translator))
        except Exception:
            log_bug()
            sentence = BotError("Something went wrong on my side. Please try again.")
            yield _event("error", _problem(sentence, self.viewer.translator))

    def _told(self, events: Sequence[Event | File]) -> Iterator[bytes]:
        for event in events:
            match event:
                case Waiting(position, seconds):
                    yield _event("waiting", {"place": position, "seconds": seconds})
                case Looking(picture, total):
                    yield _event("looking", {"picture": picture, "of": total})
                case BeganAgain(thought):
                    self._thoughts, self._text = thought, ""
                    if thought and self.html:  # who shows the pieces themselves has to drop them
                        yield from self._rendered()
                    else:
                        yield _event("again", {})
                case Piece(piece):
                    self._text += piece
                    yield _event("piece", {"text": piece})
                    yield from self._rendered()
                case Thought(text):
                    self._thoughts += text
                    yield from self._rendered()

    def _rendered(self) -> Iterator[bytes]:
        """Yield the event with the answer so far as HTML, if it is time for one."""
        if not self.html or time.monotonic() - self._rendered_at < RENDER_SECONDS:
            return
        self._rendered_at = time.monotonic()
        translator = self.viewer.translator.for_question(self.questions[-1] if self.questions else "")
        summary = thoughts_summary(translator, growing=not self._text)
        growing = as_markdown(self._text, self.questions, growing=True)
        html = fold(summary, self._thoughts, growing=True) + render(growing, growing=True)
        yield _event("html", {"html": html})

    async def _done(self, answer: Answer) -> dict[str, Any]:
        removed = self.broadcast.removed
        notes = self.viewer.notes(self.broadcast.notes, removed)
        if self.receiver is None:
            return self.viewer.analysis(None, answer, notes).model_dump()
        known, number, versions = await self.receiver.conversations.written(self.broadcast, answer)
        view = self.viewer.turn(known, number or 1, versions).model_dump()
        what = {"conversation": known.id, "number": number, "pictures": view["pictures"], "removed": removed}
        nowhere = {} if number else {"table": None, "file": None}
        return {**what, "notes": notes, **view["answer"], **nowhere}


class EventStream(StreamingResponse):
    """A response that calls `end` when the connection ends in any way."""

    def __init__(self, stream: Stream, end: Callable[[], None]) -> None:
        super().__init__(stream.events(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._end()


def _problem(error: BotError, translator: Translator) -> dict[str, Any]:
    status = status_of(error)
    detail, code = translator.explain(error), code_of(error, status)
    return {"detail": detail, "code": code, "status": status, "retryable": error.retryable}


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
