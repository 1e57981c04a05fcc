"""Compare this engine with transformers' own forward pass, in each precision, on the same questions."""

import gc
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor

from core import hardware
from core.benchmark.compare import Difference, differ, follow
from core.conversation import Conversation
from core.engine import any_model
from core.engine.config import EngineConfig
from core.engine.prompt import Prompter
from core.engine.tokenizer import Tokenizer
from core.errors import OperatorError
from core.model.checkpoint import Checkpoint
from core.model.model import Model
from core.model.precision import Precision
from core.units import GIGABYTE

PRECISIONS = (Precision.FLOAT32, Precision.FLOAT16, Precision.INT8)
FLOAT32_BYTES = 4
WORKING_BYTES = 1_500_000_000  # for pictures, keys and values, and everything else
TOKENS = 24  # of each answer at most


@dataclass(frozen=True, slots=True)
class Expected:
    """What transformers computes for a question: the prompt's token ids, and the logits (tokens, vocabulary)."""

    ids: list[int]
    logits: Tensor


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How far one precision is from transformers in float32: means over all answers' tokens.

    `used` differs from `precision` where this machine cannot compute in it. `same_prompts` counts the questions that
    both turn into the same tokens, and `same_answers` those whose greedy answers are the same.
    """

    precision: Precision
    used: Precision
    questions: int
    same_prompts: int
    same_answers: int
    same_top: float
    kl: float
    largest: float  # difference of two logits


def check(config: EngineConfig) -> None:
    """Raise `OperatorError` if the comparison cannot work here, before anything slow begins."""
    checkpoint = Checkpoint.find(config.model)
    places = [place for _, places in checkpoint.layout() for place in places]
    needed = FLOAT32_BYTES * sum(math.prod(place.shape) for place in places) + WORKING_BYTES
    limits = [limit.bytes for limit in (hardware.memory(), hardware.process_memory()) if limit]
    free = min(psutil.virtual_memory().available, *limits)
    if needed > free:
        raise OperatorError(
            "--against-reference computes in float32, which needs about {needed:.1f} GB of memory for this model; "
            "{free:.1f} GB are free. Without it, the rest of the self-test works.",
            needed=needed / GIGABYTE,
            free=free / GIGABYTE,
        )


def compare(config: EngineConfig, questions: Sequence[Conversation]) -> Iterator[Fidelity]:
    """Yield each precision's distance from transformers. Only one model is in memory at a time."""
    expected = _ask_transformers(config, questions)
    for precision in PRECISIONS:
        gc.collect()
        hardware.trim_heap()
        yield _measure(config, precision, questions, expected)


def _ask_transformers(config: EngineConfig, questions: Sequence[Conversation]) -> list[Expected]:
    folder = Checkpoint.find(config.model).folder
    model, processor = any_model.load(folder, Precision.FLOAT32, config.cache / "offload")
    return [_write(model, any_model.make_inputs(processor, question.turns)) for question in questions]


@torch.inference_mode()
def _write(model: Any, inputs: Any) -> Expected:
    """Let transformers write a greedy answer, and return the logits as they were computed."""
    written = model.generate(
        **inputs.to(model.device), do_sample=False, repetition_penalty=1.0, max_new_tokens=TOKENS,
        output_logits=True, return_dict_in_generate=True,
    )  # fmt: skip
    return Expected(inputs["input_ids"][0].tolist(), torch.cat(written.logits).float().cpu())


def _measure(
    config: EngineConfig, precision: Precision, questions: Sequence[Conversation], expected: Sequence[Expected]
) -> Fidelity:
    checkpoint = Checkpoint.find(config.model)
    cache: Path | None = config.cache if config.cache_limit_gb else None
    model = Model(checkpoint, precision, cache, config.threads)
    prompter = Prompter(Tokenizer(checkpoint.folder), model.vision.grid, 1 << 20)
    same_prompts, found = 0, list[Difference]()
    for question, theirs in zip(questions, expected, strict=True):
        prompt = prompter.write(question, TOKENS)
        same_prompts += prompt.ids.tolist() == theirs.ids
        found.append(differ(theirs.logits, follow(model, prompt, theirs.logits.argmax(-1).tolist(), TOKENS)))
    weights = [len(theirs.logits) for theirs in expected]
    return Fidelity(
        precision,
        model.precision,
        len(questions),
        same_prompts,
        sum(each.same_answer for each in found),
        _mean([each.same_top for each in found], weights),
        _mean([each.kl for each in found], weights),
        max(each.largest for each in found),
    )


def _mean(values: Sequence[float], weights: Sequence[int]) -> float:
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)
