"""Draws the next token from logits."""

import logging

import torch

from core.errors import Unanswerable
from core.sampling import Sampling

log = logging.getLogger(__name__)
GREEDY = 1e-5  # a temperature below it divides logits to infinity


def check(values: torch.Tensor) -> None:
    """Raise `Unanswerable` for values among which are some that are no numbers (NaN) or endless."""
    if not torch.isfinite(values).all():
        log.error("what was computed are no numbers: %d of %d", (~torch.isfinite(values)).sum(), values.numel())
        raise Unanswerable(
            "The model cannot answer this. Please ask in other words, or send the picture in another size."
        )


def draw(logits: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """`logits` are (vocabulary,). Temperature 0 takes the most likely token; else nucleus sampling (Holtzman 2019).

    Raises `Unanswerable`.
    """
    check(logits)
    if sampling.temperature < GREEDY:
        return int(logits.argmax())
    probabilities = torch.softmax(logits.float() / sampling.temperature, dim=-1)
    ordered, tokens = probabilities.sort(descending=True)
    before = ordered.cumsum(0) - ordered  # mass of everything more likely: the first token always stays
    ordered[before > sampling.top_p] = 0.0
    return int(tokens[torch.multinomial(ordered, 1, generator=generator)])
