"""Ask the demo model for JSON within hundreds of schemas: `python -m tests.core.engine.try_schemas` (`make schemas`).

Meanwhile somebody else reads ordinary answers, and the longest wait for one of their tokens is measured. At last the
same question is answered alone, with and without a schema that allows every text, for the speed of a masked row.
Exit status 1 when a finished answer is invalid.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

import jsonschema_rs

from core.answer import Answer, Ending
from core.conversation import Conversation, Question
from core.engine.config import EngineConfig
from core.engine.engine import Engine
from core.errors import BadSchema
from core.events import Event, Piece
from core.model.precision import Precision
from core.pictures.images import ImagesConfig, make_image
from core.sampling import Sampling
from tests.core.engine.made_schemas import HOSTILE, Schema, make
from tests.demo import sample

QUESTIONS = ("What is the total?", "提取图中的所有文字", "Describe the picture as JSON.")
LONG = Sampling(max_new_tokens=300)
ANY_TEXT: Schema = {"type": "string", "minLength": 3000}
AT_ONCE = 3
REGEX_BYTES = 1_000_000_000  # of a hostile pattern in the validator


class Outcome(StrEnum):
    FINISHED = "finished"  # and valid
    CUT = "met its limit"
    REFUSED = "refused before the first token"
    BROKEN = "ended in an error"
    INVALID = "said to be finished, and invalid"


@dataclass
class Reader:
    """Somebody who reads answers, and notes how long each token took to come after the one before."""

    waits: list[float] = field(default_factory=list)
    last: float | None = None

    def tell(self, event: Event) -> None:
        if isinstance(event, Piece):
            now = time.monotonic()
            if self.last is not None:
                self.waits.append(now - self.last)
            self.last = now

    async def read(self, engine: Engine, conversation: Conversation) -> None:
        while True:
            await engine.answer(conversation, LONG, self.tell)
            self.last = None


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Engine]:
    config = EngineConfig(model="demo", precision=Precision.FLOAT32, cache=folder, cache_limit_gb=0.1)
    engine = await Engine.start(config)
    try:
        yield engine
    finally:
        await engine.close()


async def about(name: str, question: str) -> Conversation:
    """Return a conversation with one question about a sample picture."""
    image = await make_image(sample(name), ImagesConfig())
    return Conversation("test:schemas").ask(Question(question, (image,)))


async def ask_within(engine: Engine, schema: Schema, tokens: int, seed: int) -> Outcome:
    """Ask a question whose answer must obey a schema."""
    conversation = await about("invoice", QUESTIONS[seed % len(QUESTIONS)])
    conversation = replace(conversation, answer_schema=json.dumps(schema))
    sampling = Sampling(max_new_tokens=tokens, temperature=(0.0, 0.7, 1.5)[seed // 3 % 3], seed=seed)
    begun: list[Event] = []
    try:
        answer = await engine.answer(conversation, sampling, begun.append)
    except BadSchema:
        return Outcome.BROKEN if any(isinstance(event, Piece) for event in begun) else Outcome.REFUSED
    if answer.ending is not Ending.DONE:
        return Outcome.CUT
    return Outcome.FINISHED if obeys(answer, schema) else Outcome.INVALID


def obeys(answer: Answer, schema: Schema) -> bool:
    try:
        value = json.loads(answer.text)
    except ValueError:
        return False
    patterns = jsonschema_rs.FancyRegexOptions(size_limit=REGEX_BYTES, dfa_size_limit=REGEX_BYTES)
    return jsonschema_rs.validator_for(schema, validate_formats=True, pattern_options=patterns).is_valid(value)


async def measure(count: int, tokens: int) -> Counter[Outcome]:
    schemas = [*HOSTILE.values(), *(make(seed) for seed in range(count - len(HOSTILE)))]
    found: Counter[Outcome] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        async with started(Path(folder)) as engine:
            reader = Reader()
            reading = asyncio.create_task(reader.read(engine, await about("product", "提取图中的所有文字")))
            gate = asyncio.Semaphore(AT_ONCE)

            async def try_one(seed: int, schema: Schema) -> None:
                async with gate:
                    outcome = await ask_within(engine, schema, tokens, seed)
                found[outcome] += 1
                if outcome in (Outcome.INVALID, Outcome.BROKEN):
                    print(f"{outcome}: {json.dumps(schema, ensure_ascii=False)[:1000]}")

            await asyncio.gather(*(try_one(seed, schema) for seed, schema in enumerate(schemas)))
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading
            print(f"{count} schemas: " + ", ".join(f"{number} {outcome}" for outcome, number in found.items()))
            print(f"another's token: {max(reader.waits):.3f} s at most, of {len(reader.waits)} tokens")
            await _compare(engine)
    return found


async def _compare(engine: Engine) -> None:
    """Print how fast one answer is written with a schema and without, in turn."""
    free = await about("invoice", QUESTIONS[0])
    speeds: dict[bool, list[float]] = {False: [], True: []}
    unending = LONG.model_copy(update={"temperature": 1.5, "seed": 3})
    for _ in range(7):
        for masked in speeds:
            schema = json.dumps(ANY_TEXT) if masked else None
            answer = await engine.answer(replace(free, answer_schema=schema), unending, lambda event: None)
            if answer.figures.answer_tokens > 20:
                speeds[masked].append(answer.figures.answer_tokens / answer.figures.decode_s)
    without, with_schema = (statistics.median(speeds[masked]) for masked in (False, True))
    loss = 1 - with_schema / without
    print(f"tokens/s: {without:.0f} without a schema, {with_schema:.0f} with one, a loss of {loss:.1%}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=300)
    options.add_argument("--tokens", type=int, default=150)
    chosen = options.parse_args()
    found = asyncio.run(measure(chosen.count, chosen.tokens))
    sys.exit(found[Outcome.INVALID] > 0)


if __name__ == "__main__":
    main()
