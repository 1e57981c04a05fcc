"""Draws the next token from logits."""

import torch

from core.sampling import Sampling


def draw(logits: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """`logits` are (vocabulary,). Temperature 0 takes the most likely token; else nucleus sampling (Holtzman 2019)."""
    if sampling.temperature <= 0:
        return int(logits.argmax())
    probabilities = torch.softmax(logits.float() / sampling.temperature, dim=-1)
    ordered, tokens = probabilities.sort(descending=True)
    before = ordered.cumsum(0) - ordered  # mass of everything more likely: the first token always stays
    ordered[before > sampling.top_p] = 0.0
    return int(tokens[torch.multinomial(ordered, 1, generator=generator)])
