"""The same work for this engine and for any OpenAI-compatible server on the same machine, round by round in turn."""

import asyncio
import base64
import io
import json
import shlex
import statistics
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import httpx
import numpy as np
from PIL import Image as Pillow

from core.assistant import Sampling
from core.conversation import Answer, Conversation, Ending, Image, Piece, Question
from core.engine.config import Config
from core.engine.engine import Engine

FIRST = "What does this picture show, and what is the total amount written on it? Please answer briefly."
THEN = "And what is the second largest number in it?"
Results = dict[str, dict[str, float | None]]


@dataclass
class Writing:
    """When the pieces of an answer came, in seconds since it was asked."""

    text: str = ""
    tokens: int = 0
    asked: float = field(default_factory=time.monotonic)
    times: list[float] = field(default_factory=list)

    def add(self, text: str) -> None:
        self.text += text
        self.times.append(time.monotonic())

    def end(self, tokens: int) -> None:
        self.tokens = tokens
        if not self.times:  # an empty answer ends with its first token
            self.add("")

    @property
    def decode_tokens_per_s(self) -> float | None:
        """None for an answer too short to tell."""
        return (self.tokens - 1) / (self.times[-1] - self.times[0]) if len(self.times) > 2 else None

    @property
    def first_token_s(self) -> float:
        return self.times[0] - self.asked

    def tokens_between(self, begin: float, end: float) -> float:
        within = sum(begin < moment <= end for moment in self.times)
        return self.tokens * within / len(self.times)


class Target(Protocol):
    async def start(self) -> float | None:
        """Seconds until it answers; None when it is not ours to start."""
        ...

    async def stop(self) -> None: ...

    def peak(self) -> int | None: ...

    async def ask(self, conversation: Conversation, tokens: int) -> Writing: ...


class Ours:
    def __init__(self, config: Config) -> None:
        self._config = config
        self._engine: Engine | None = None

    async def start(self) -> float:
        begin = time.monotonic()
        self._engine = await Engine.start(self._config)
        return time.monotonic() - begin

    async def stop(self) -> None:
        if self._engine:
            await self._engine.close()
        self._engine = None

    def peak(self) -> int | None:
        return peak_memory()

    async def ask(self, conversation: Conversation, tokens: int) -> Writing:
        if self._engine is None:
            raise RuntimeError("not started")
        writing = Writing()
        async for event in self._engine.answer(conversation, Sampling(max_new_tokens=tokens)):
            if isinstance(event, Piece):
                writing.add(event.text)
            elif isinstance(event, Answer):
                writing.end(event.figures.answer_tokens)
        return writing


class Other:
    """A server that speaks the OpenAI protocol; `command` starts it."""

    def __init__(self, url: str, command: str | None) -> None:
        self._url = url.rstrip("/").removesuffix("/v1")
        self._command = command
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> float | None:
        if not self._command:
            return None
        begin = time.monotonic()
        quiet = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(*shlex.split(self._command), stdout=quiet, stderr=quiet)
        async with httpx.AsyncClient() as client:
            while not await self._ready(client):
                if self._process.returncode is not None:
                    raise RuntimeError(f"{self._command} ended with {self._process.returncode}")
                await asyncio.sleep(0.1)
        return time.monotonic() - begin

    async def _ready(self, client: httpx.AsyncClient) -> bool:
        try:
            return (await client.get(f"{self._url}/health")).status_code == 200
        except httpx.TransportError:
            return False

    async def stop(self) -> None:
        if self._process:
            self._process.terminate()
            await self._process.wait()
        self._process = None

    def peak(self) -> int | None:
        return peak_memory(self._process.pid) if self._process else None

    async def ask(self, conversation: Conversation, tokens: int) -> Writing:
        body = {
            "model": "default", "stream": True, "stream_options": {"include_usage": True}, "temperature": 0,
            "max_tokens": tokens, "messages": _messages(conversation),
        }  # fmt: skip
        writing, written = Writing(), 0
        async with httpx.AsyncClient(timeout=None) as client:
            async for chunk in _events(client, f"{self._url}/v1/chat/completions", body):
                if usage := chunk.get("usage"):
                    written = usage["completion_tokens"]
                if (choices := chunk.get("choices")) and choices[0]["delta"].get("content"):
                    writing.add(choices[0]["delta"]["content"])
        writing.end(written)
        return writing


Tell = Callable[[str], None]


async def measure(
    targets: dict[str, Any], conversations: int, tokens: int, rounds: int, picture: bytes | None, tell: Tell
) -> Results:
    """Medians by target and figure. A target runs alone: each is started for its round and stopped after it."""
    found: dict[str, list[dict[str, float | None]]] = {name: [] for name in targets}
    for number in range(rounds):
        for name, target in targets.items():
            figures: dict[str, float | None] = {}
            async with aclosing(_round(target, conversations, tokens, number, picture)) as round_:
                async for figure, value in round_:
                    figures[figure] = value
                    tell(f"{name} {figure} {value}")
            found[name].append(figures)
    return {name: {key: _median([one[key] for one in each]) for key in each[0]} for name, each in found.items()}


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


async def _round(
    target: Target, conversations: int, tokens: int, number: int, picture: bytes | None
) -> AsyncGenerator[tuple[str, float | None]]:
    """Figures as they are found. The second start counts: what is prepared once has been prepared then."""
    load = await target.start()
    try:
        seed = time.time_ns() + number  # nobody has seen these pictures
        first = Conversation("bench").ask(Question(FIRST, (make_picture(seed, picture),)))
        alone = await target.ask(first, tokens)
        yield "first_token_s", alone.first_token_s
        yield "decode_tokens_per_s", alone.decode_tokens_per_s
        second = _go_on(first, alone.text)
        followup = await target.ask(second, tokens // 4)
        yield "followup_first_token_s", followup.first_token_s
        yield "peak_memory_alone_bytes", target.peak()
        if load is not None:
            await target.stop()
            load = await target.start()
        yield "load_s", load
        resumed = await target.ask(_go_on(second, followup.text), tokens // 4)
        yield "restart_followup_first_token_s", resumed.first_token_s
        questions = [Question(FIRST, (make_picture(seed + n + 1, picture),)) for n in range(conversations)]
        begun = [Conversation(f"bench:{n}").ask(question) for n, question in enumerate(questions)]
        seen = await asyncio.gather(*[target.ask(each, 2) for each in begun])
        yield "last_of_all_first_token_s", max(writing.first_token_s for writing in seen)
        together = [_go_on(each, answer.text) for each, answer in zip(begun, seen, strict=True)]
        writings = await asyncio.gather(*[target.ask(each, tokens) for each in together])
        begin, end = max(w.times[0] for w in writings), min(w.times[-1] for w in writings)
        within = sum(w.tokens_between(begin, end) for w in writings)
        yield "batch_tokens_per_s", within / (end - begin) if end > begin else None
        yield "peak_memory_bytes", target.peak()
    finally:
        await target.stop()


def _go_on(conversation: Conversation, text: str) -> Conversation:
    turn = replace(conversation.turns[-1], answer=Answer(text, Ending.DONE))
    return replace(conversation, turns=(*conversation.turns[:-1], turn)).ask(Question(THEN))


def make_picture(seed: int, given: bytes | None = None) -> Image:
    """A given picture gets one new pixel, or else its features would be known after the first round."""
    random = np.random.default_rng(seed)
    if given:
        pixels = np.array(Pillow.open(io.BytesIO(given)).convert("RGB"))
        pixels[0, 0] = random.integers(0, 255, 3)
    else:
        pixels = random.integers(0, 255, (480, 640, 3), np.uint8)
    data = io.BytesIO()
    Pillow.fromarray(pixels).save(data, "PNG")
    height, width = pixels.shape[:2]
    return Image(f"bench-{seed}", data.getvalue(), width, height, (width, height))


def _messages(conversation: Conversation) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    for turn in conversation.turns:
        content: list[dict[str, Any]] = []
        for picture in turn.pictures:
            url = "data:image/png;base64," + base64.b64encode(picture.image.data).decode()
            content += [
                {"type": "text", "text": f"Picture {picture.number}: "},
                {"type": "image_url", "image_url": {"url": url}},
            ]
        messages.append({"role": "user", "content": [*content, {"type": "text", "text": turn.text}]})
        if turn.answer:
            messages.append({"role": "assistant", "content": turn.answer.text})
    return messages


async def _events(client: httpx.AsyncClient, url: str, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any]]:
    async with client.stream("POST", url, json=body) as response:
        if response.status_code != 200:
            raise RuntimeError(f"{url} answered {response.status_code}: {(await response.aread()).decode()}")
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                yield json.loads(line.removeprefix("data: "))


def peak_memory(process: int | None = None) -> int | None:
    """Most memory a process ever had, in bytes; Linux tells."""
    status = Path(f"/proc/{process or 'self'}/status")
    if not status.exists():
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
