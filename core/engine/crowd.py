"""A room full of people: conversations about pictures that arrive while others are being answered."""

import asyncio
import time
from dataclasses import dataclass, field
from itertools import pairwise

from core.assistant import Sampling
from core.conversation import Answer, Conversation, Piece, Question, Waiting
from core.engine.bench import FIRST, make_picture, peak_memory
from core.engine.config import Config
from core.engine.engine import Engine


@dataclass(slots=True)
class Visit:
    """One question; everything in seconds since it was asked."""

    told: float | None = None  # the first estimate of its first piece
    pieces: list[float] = field(default_factory=list)

    @property
    def longest_pause(self) -> float:
        return max((b - a for a, b in pairwise(self.pieces)), default=0.0)


async def crowd(config: Config, conversations: int, seconds: float, tokens: int) -> tuple[list[Visit], int | None]:
    """Every visit, and the most memory the process ever had in bytes. The first visit lets speeds be known."""
    engine = await Engine.start(config)
    try:
        await _visit(engine, -1, 0.0, 8)
        waits = [number * seconds / conversations for number in range(conversations)]
        visits = await asyncio.gather(*[_visit(engine, n, wait, tokens) for n, wait in enumerate(waits)])
        return list(visits), peak_memory()
    finally:
        await engine.close()


async def _visit(engine: Engine, number: int, wait: float, tokens: int) -> Visit:
    await asyncio.sleep(wait)
    conversation = Conversation(f"crowd:{number}").ask(Question(FIRST, (make_picture(time.time_ns()),)))
    visit, begin = Visit(), time.monotonic()
    async for event in engine.answer(conversation, Sampling(max_new_tokens=tokens)):
        now = time.monotonic() - begin
        if isinstance(event, Waiting) and visit.told is None and event.seconds is not None:
            visit.told = now + event.seconds
        elif isinstance(event, Piece) or (isinstance(event, Answer) and not visit.pieces):
            visit.pieces.append(now)
    return visit
