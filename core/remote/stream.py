"""Read an answer from an engine's server-sent events, as engines really send them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from core.answer import Ending
from core.remote.failure import Failure, FailureKind, failure_of_event

USAGE_WAIT_SECONDS = 1.0  # for what may follow the answer's end: its usage, or nothing
CHARACTERS_PER_TOKEN = 40  # at most, on average; an engine that does not stop by itself is stopped
MOST_EVENT_BYTES = 1_000_000  # of one event; the usual ones have some hundred
DONE = "[DONE]"


async def events(received: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """Yield the chunks of a stream until its end. Comments and other fields of events are left out.

    Raises `Failure` for what is no chunk. The SDK's own reader takes a comment after an event with an id for another
    event, and fails.
    """
    buffer = bytearray()
    async for more in received:
        buffer += more
        *lines, rest = buffer.split(b"\n")
        buffer = bytearray(rest)
        for line in lines:
            if line.startswith(b"data:"):
                data = line.removeprefix(b"data:").decode("utf-8", "replace").strip()
                if data == DONE:
                    return
                yield _chunk(data)
        if len(buffer) > MOST_EVENT_BYTES:
            raise Failure(FailureKind.BROKEN, "one of its events is too long")


def _chunk(data: str) -> dict[str, Any]:
    try:
        chunk = json.loads(data)
    except (ValueError, RecursionError):
        chunk = None
    if not isinstance(chunk, dict):
        raise Failure(FailureKind.BROKEN, "what it sends is not OpenAI's format")
    if error := chunk.get("error"):
        raise failure_of_event(error)
    if chunk.get("object") == "error":
        raise failure_of_event(chunk)
    return chunk


@dataclass(slots=True)
class StreamedAnswer:
    """An answer as far as it has come. `say` hears its text, never half a character.

    An answer is whole once a chunk says why it ended. Whether `[DONE]` comes, and where usage stands, makes no
    difference.
    """

    say: Callable[[str], None]
    most_tokens: int
    text: str = ""
    ending: Ending | None = None
    prompt_tokens: int = 0
    reused_tokens: int = 0
    answer_tokens: int = 0
    images: int = 0  # that were sent with the question
    asked: float = 0.0  # when the engine was asked, as `time.monotonic` counts
    first_token: float | None = None  # as `time.monotonic` counts
    _half: str = field(default="", init=False)  # the first half of a character

    async def read(self, received: AsyncIterator[bytes]) -> None:
        """Read to the end. Raises `Failure` if the stream ends before the answer, and what the connection raises."""
        chunks = events(received)
        while self.ending is None:
            chunk = await anext(chunks, None)
            if chunk is None:
                raise Failure(FailureKind.LOST, "the answer broke off")
            self._take(chunk)
        try:
            async with asyncio.timeout(USAGE_WAIT_SECONDS):
                while not self.prompt_tokens and (chunk := await anext(chunks, None)) is not None:
                    self._take_usage(chunk)
        except Exception:  # the answer is whole, whatever happens to the connection now
            return

    def _take(self, chunk: dict[str, Any]) -> None:
        self._take_usage(chunk)
        choices = chunk.get("choices")
        choice = _object(choices[0] if isinstance(choices, list) and choices else None)
        content = _object(choice.get("delta")).get("content")
        if isinstance(content, str):
            self._add(content)
        if reason := choice.get("finish_reason"):
            self.ending = Ending.LENGTH if reason == "length" else Ending.DONE
        elif len(self.text) > CHARACTERS_PER_TOKEN * self.most_tokens:
            self.ending = Ending.LENGTH

    def _add(self, content: str) -> None:
        """Say the text. JSON can carry halves of a character, which no file or database takes, and NUL."""
        content = self._half + content.replace("\0", "")
        self._half = content[-1:] if "\ud800" <= content[-1:] <= "\udbff" else ""
        whole = content.removesuffix(self._half) if self._half else content
        text = whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if text:
            self.first_token = self.first_token or time.monotonic()
            self.answer_tokens += 1  # until usage says how many there were
            self.text += text
            self.say(text)

    def _take_usage(self, chunk: dict[str, Any]) -> None:
        usage = _object(chunk.get("usage"))
        cached = _count(_object(usage.get("prompt_tokens_details")), "cached_tokens")
        self.prompt_tokens = _count(usage, "prompt_tokens") or self.prompt_tokens
        self.answer_tokens = _count(usage, "completion_tokens") or self.answer_tokens
        self.reused_tokens = cached or self.reused_tokens


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(holder: dict[str, Any], name: str) -> int:
    value = holder.get(name)
    return value if isinstance(value, int) and value > 0 else 0
