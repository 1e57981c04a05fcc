"""Send an answer while it is written, as chunks in server-sent events."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from bots.web.api import sse
from bots.web.broadcast import text_of
from bots.web.errors import code_of, log_bug, status_of
from bots.web.openai.errors import error_object
from bots.web.openai.replies import Chunk, ChunkChoice, Delta, Usage, delta_of, finish_reason_of, first_delta, usage_of
from bots.web.openai.shape import Shape, naming_field
from bots.web.writing import Writing
from core.errors import BotError, EngineUnreachable
from core.events import BeganAgain
from core.i18n import Translator

INTERRUPTED = EngineUnreachable("The model was interrupted. Please ask again.")
NEW_PARAGRAPH = "\n\n"
WENT_WRONG = BotError("Something went wrong on my side. Please try again.")


@dataclass(frozen=True, slots=True)
class Chunks:
    """An answer's chunks. With `include_usage` each has a field for it, and a last one fills it in."""

    writing: Writing
    model: str
    include_usage: bool
    translator: Translator
    shape: Shape | None = None

    async def events(self) -> AsyncIterator[bytes]:
        broadcast, shape = self.writing.broadcast, self.shape
        said = ""
        try:
            yield self._choice(first_delta(self.writing.id, shape))
            async for news in broadcast.follow(0, sse.HEARTBEAT_SECONDS):
                if not news:
                    yield sse.STILL_HERE
                if said and BeganAgain() in news:  # what was sent cannot be taken back
                    raise INTERRUPTED
                if text := text_of(news):
                    said += text
                    yield self._choice(delta_of(text, shape))
            with naming_field(shape):
                answer = await broadcast.answer()
            if not said.startswith(answer.text):  # it is replaced by a sentence, which can only follow here
                yield self._choice(delta_of(f"{said and NEW_PARAGRAPH}{answer.text}", shape))
            yield self._chunk([ChunkChoice(delta=Delta(), finish_reason=finish_reason_of(answer, shape))])
            if self.include_usage:
                yield self._chunk([], usage=usage_of(answer))
            yield b"data: [DONE]\n\n"
        except BotError as error:
            yield _event(self._error(error, status_of(error)))
        except Exception:
            log_bug()
            yield _event(self._error(WENT_WRONG, 500))

    def _choice(self, delta: Delta) -> bytes:
        return self._chunk([ChunkChoice(delta=delta)])

    def _chunk(self, choices: list[ChunkChoice], usage: Usage | None = None) -> bytes:
        writing = self.writing
        chunk = Chunk(id=writing.id, created=writing.created, model=self.model, choices=choices, usage=usage)
        body = chunk.model_dump()
        for choice, written in zip(choices, body["choices"], strict=True):
            written["delta"] = choice.delta.model_dump(exclude_none=True)
        if not self.include_usage:
            del body["usage"]
        return _event(body)

    def _error(self, error: BotError, status: int) -> dict[str, Any]:
        return error_object(status, error, self.translator.explain(error), code_of(error, status))


class ChunkStream(StreamingResponse):
    """A response that ends the answer's writing when the connection ends in any way."""

    def __init__(self, chunks: Chunks, headers: Mapping[str, str]) -> None:
        headers = {**headers, "X-Accel-Buffering": "no"}
        super().__init__(chunks.events(), media_type="text/event-stream", headers=headers)
        self._writing = chunks.writing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._writing.end()


def _event(body: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n".encode()
