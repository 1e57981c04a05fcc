"""Define what is measured: this engine, or another server that answers the same conversations."""

import asyncio
import gc
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from core import cache_folder
from core.benchmark.memory import forget_peak, peak_memory
from core.conversation import Conversation
from core.engine.config import EngineConfig
from core.engine.engine import Engine
from core.events import Event, Piece
from core.sampling import Sampling

START = """
import asyncio, sys
from core.engine.config import EngineConfig
from core.engine.engine import Engine

async def start():
    engine = await Engine.start(EngineConfig.model_validate_json(sys.argv[1]))
    print("ready", flush=True)
    await engine.close()

asyncio.run(start())
"""


@dataclass
class AnswerTimes:
    """Records when the pieces of an answer came. `first` is called with the first one."""

    first: Callable[[], None] = lambda: None
    text: str = ""
    tokens: int = 0
    asked: float = field(default_factory=time.monotonic)
    times: list[float] = field(default_factory=list)

    def tell(self, event: Event) -> None:
        if isinstance(event, Piece):
            self.add(event.text)

    def add(self, text: str) -> None:
        self.text += text
        self.times.append(time.monotonic())
        if len(self.times) == 1:
            self.first()

    def end(self, tokens: int) -> None:
        self.tokens = tokens
        if not self.times:  # an empty answer ends with its first token
            self.add("")

    @property
    def decode_tokens_per_s(self) -> float | None:
        """Decoded tokens per second, or None for an answer too short to measure."""
        return (self.tokens - 1) / (self.times[-1] - self.times[0]) if len(self.times) > 2 else None

    @property
    def first_token_s(self) -> float:
        return self.times[0] - self.asked

    @property
    def longest_pause_s(self) -> float:
        return max((b - a for a, b in pairwise(self.times)), default=0.0)

    def tokens_between(self, begin: float, end: float) -> float:
        within = sum(begin < moment <= end for moment in self.times)
        return self.tokens * within / len(self.times)


class Target(Protocol):
    is_new: bool  # whether its last start made files that later ones find

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def restart(self) -> float | None:
        """Restart the target, and return the seconds until it answers. None if we cannot restart it."""
        ...

    def peak(self) -> int | None: ...

    async def ask(self, conversation: Conversation, tokens: int, writing: AnswerTimes) -> AnswerTimes:
        """Ask, and record the answer's times in `writing`."""
        ...


class Ours:
    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._engine: Engine | None = None
        self.is_new = False

    async def start(self) -> None:
        forget_peak()
        before = self._weights()
        self._engine = await Engine.start(self._config)
        self.is_new = self._weights() != before

    def _weights(self) -> set[Path]:
        return set((self._config.cache / cache_folder.WEIGHTS_FOLDER).rglob("*"))

    async def stop(self) -> None:
        if self._engine:
            await self._engine.close()
        self._engine = None
        gc.collect()

    async def restart(self) -> float:
        """Measure a full start, with Python, in a process of its own; then start the engine in this one."""
        await self.stop()
        begin = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", START, self._config.model_dump_json(), stdout=asyncio.subprocess.PIPE
        )
        said = await process.stdout.readline() if process.stdout else b""
        seconds = time.monotonic() - begin
        if await process.wait() or not said:
            raise RuntimeError("the engine did not start")
        await self.start()
        return seconds

    def peak(self) -> int | None:
        return peak_memory()

    async def ask(self, conversation: Conversation, tokens: int, writing: AnswerTimes) -> AnswerTimes:
        if self._engine is None:
            raise RuntimeError("not started")
        answer = await self._engine.answer(conversation, Sampling(max_new_tokens=tokens), writing.tell)
        writing.end(answer.figures.answer_tokens)
        return writing
