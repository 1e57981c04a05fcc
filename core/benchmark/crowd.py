"""Simulate a room full of people whose conversations about pictures arrive during others' answers."""

import asyncio
import statistics
import time
from dataclasses import dataclass

from core.benchmark.memory import forget_peak, peak_memory
from core.benchmark.scene import make_picture, start_conversation
from core.benchmark.target import AnswerTimes
from core.engine.config import EngineConfig
from core.engine.engine import Engine, budget
from core.events import Event, Waiting
from core.sampling import Sampling


@dataclass(frozen=True, slots=True)
class Visit:
    """One question. `told` is the first estimate of the time until its first token, in seconds after it was asked."""

    told: float | None
    writing: AnswerTimes


@dataclass(frozen=True, slots=True)
class CrowdReport:
    visits: list[Visit]
    memory: int | None  # peak in bytes
    budget: int  # bytes

    @property
    def longest_pause_s(self) -> float:
        return max(visit.writing.longest_pause_s for visit in self.visits)

    @property
    def mean_error_s(self) -> float | None:
        """The mean error of the estimates, or None if no estimate was given."""
        errors = [abs(visit.told - visit.writing.first_token_s) for visit in self.visits if visit.told is not None]
        return statistics.mean(errors) if errors else None


async def crowd(config: EngineConfig, conversations: int, seconds: float, tokens: int) -> CrowdReport:
    """Run the visits. The first one makes speeds known and is not reported."""
    forget_peak()
    engine = await Engine.start(config)
    try:
        await _visit(engine, 0, 0.0, 8)
        waits = [number * seconds / conversations for number in range(conversations)]
        visits = await asyncio.gather(*[_visit(engine, n, wait, tokens) for n, wait in enumerate(waits, 1)])
        return CrowdReport(list(visits), peak_memory(), budget(config).bytes)
    finally:
        await engine.close()


async def _visit(engine: Engine, number: int, wait: float, tokens: int) -> Visit:
    await asyncio.sleep(wait)
    conversation = start_conversation(f"crowd:{number}", make_picture(time.time_ns()))
    told: float | None = None
    writing = AnswerTimes()

    def tell(event: Event) -> None:
        nonlocal told
        if isinstance(event, Waiting) and told is None and event.seconds is not None:
            told = time.monotonic() - writing.asked + event.seconds
        writing.tell(event)

    answer = await engine.answer(conversation, Sampling(max_new_tokens=tokens), tell)
    writing.end(answer.figures.answer_tokens)
    return Visit(told, writing)
