"""Draws the next token from logits, in the order and with the arithmetic of transformers' own processors."""

import logging

import torch
from torch import Tensor

from core.errors import Unanswerable
from core.sampling import Sampling

log = logging.getLogger(__name__)
GREEDY = 1e-5  # a temperature below it divides logits to infinity


def check(values: Tensor) -> None:
    """Raise `Unanswerable` for values among which are some that are no numbers (NaN) or endless."""
    if not torch.isfinite(values).all():
        log.error("what was computed are no numbers: %d of %d", (~torch.isfinite(values)).sum(), values.numel())
        raise Unanswerable(
            "The model cannot answer this. Please ask in other words, or send the picture in another size."
        )


def draw(logits: Tensor, sampling: Sampling, generator: torch.Generator, prompt: Tensor, answer: list[int]) -> int:
    """`logits` are (vocabulary,), for what follows the ids of `prompt` and `answer`. Nothing of `sampling` but its seed
    is None. Raises `Unanswerable`.
    """
    check(logits)
    logits = penalize(logits, sampling, prompt, answer)
    temperature = sampling.temperature or 0.0
    if temperature < GREEDY:
        return int(logits.argmax())
    probabilities = torch.softmax(narrow(logits / temperature, sampling), dim=-1)
    return int(torch.multinomial(probabilities, 1, generator=generator))


def penalize(logits: Tensor, sampling: Sampling, prompt: Tensor, answer: list[int]) -> Tensor:
    """Repetition (Keskar 2019) counts what was asked, too; presence, as OpenAI defines it, only what was answered."""
    repetition, presence = sampling.repetition_penalty or 1.0, sampling.presence_penalty or 0.0
    said = torch.tensor(sorted(set(answer)), dtype=torch.long)
    if repetition != 1.0:
        known = torch.tensor(sorted({*prompt.tolist(), *answer}), dtype=torch.long)
        own = logits[known]
        logits = logits.index_copy(0, known, torch.where(own < 0, own * repetition, own / repetition))
    if presence and len(said):
        logits = logits.index_add(0, said, torch.full((len(said),), -presence))
    return logits


def narrow(logits: Tensor, sampling: Sampling) -> Tensor:
    """Leave the `top_k` likeliest, and of those the fewest that make up `top_p` (Holtzman 2019); the rest is -inf."""
    top_k, top_p = sampling.top_k or 0, sampling.top_p or 1.0
    if 0 < top_k < len(logits):
        logits = logits.masked_fill(logits < logits.topk(top_k).values[-1], -torch.inf)
    if top_p < 1.0:
        ordered, tokens = logits.sort(descending=False)
        beyond = ordered.softmax(-1).cumsum(-1) <= 1 - top_p  # so small that the likelier ones suffice
        beyond[-1] = False
        logits = logits.masked_fill(torch.zeros_like(beyond).scatter(0, tokens, beyond), -torch.inf)
    return logits
