"""Stand in for the engine while the model is loaded, so that everything else works from the first second.

What is asked meanwhile waits, and is answered when the model is there.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from typing import Protocol

from core.answer import Answer
from core.assistant import Engine
from core.conversation import Conversation
from core.engine.stats import EngineStats
from core.errors import ModelLoading, QueueFull
from core.events import Tell
from core.image import Image
from core.sampling import Sampling

FORGOTTEN = 10_000  # conversations that are remembered for the model's caches; the next hour's call drops the others


class LoadedEngine(Engine, Protocol):
    """What the service asks of an engine: `core.engine.engine.Engine`, or one that stands in for it."""

    def forget(self, conversation_id: str | None, image_ids: Collection[str]) -> None: ...

    def keep_only(self, conversation_ids: Collection[str], image_ids: Collection[str]) -> None: ...

    def check(self) -> None: ...

    async def ended(self) -> None: ...

    def stats(self) -> EngineStats | None: ...

    async def close(self) -> None: ...


class LoadingEngine:
    """An engine that is loaded by `load`, which runs in the background. So many questions at most wait for that."""

    def __init__(self, max_waiting: int) -> None:
        self._engine: LoadedEngine | None = None
        self._max_waiting = max_waiting
        self._waiting = 0
        self._loaded = asyncio.Event()
        self._forgotten: deque[tuple[str | None, Collection[str]]] = deque(maxlen=FORGOTTEN)  # meanwhile, by people
        self._share = 0.0  # of the model that is loaded

    async def load(self, start: Callable[[Callable[[float], None]], Awaitable[LoadedEngine]]) -> None:
        """Load the model by `start`, which tells the share that it has loaded. Raises what it raises."""
        engine = await start(self._tell)
        for conversation_id, image_ids in self._forgotten:
            engine.forget(conversation_id, image_ids)
        self._forgotten.clear()
        self._engine = engine
        self._loaded.set()

    async def answer(self, conversation: Conversation, sampling: Sampling, tell: Tell) -> Answer:
        """Answer when the model is there. Raises `QueueFull` if too many wait for it already."""
        if self._engine is None and self._waiting >= self._max_waiting:
            raise QueueFull
        self._waiting += 1
        try:
            engine = await self._ready()
        finally:
            self._waiting -= 1
        return await engine.answer(conversation, sampling, tell)

    async def encode_ahead(self, image: Image) -> None:
        if self._engine is not None:
            await self._engine.encode_ahead(image)

    def forget(self, conversation_id: str | None, image_ids: Collection[str]) -> None:
        if self._engine is None:
            self._forgotten.append((conversation_id, image_ids))
        else:
            self._engine.forget(conversation_id, image_ids)

    def keep_only(self, conversation_ids: Collection[str], image_ids: Collection[str]) -> None:
        """Leave it to the next hour's call while the model is loaded."""
        if self._engine is not None:
            self._engine.keep_only(conversation_ids, image_ids)

    def check(self) -> None:
        """Raise `ModelLoading` until the model is there, and then what its engine raises."""
        if self._engine is None:
            raise ModelLoading("The model is being loaded: {percent} %.", percent=round(100 * self._share))
        self._engine.check()

    async def ended(self) -> None:
        await (await self._ready()).ended()

    def stats(self) -> EngineStats | None:
        return self._engine.stats() if self._engine else None

    async def close(self) -> None:
        if self._engine is not None:
            await self._engine.close()

    def _tell(self, share: float) -> None:
        self._share = share

    async def _ready(self) -> LoadedEngine:
        await self._loaded.wait()
        assert self._engine is not None
        return self._engine
