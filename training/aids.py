"""Training aids: trained beside the model and thrown away; each asks the tower outright for what answers need."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.model import SLOTS, WAVES, whereabouts

SLOT_WIDTH = 64
# Beside the code and not beside the model: who goes on from the published weights needs them, nobody else.
PUBLISHED = Path(__file__).parent / "aids.safetensors"


class Spelling(nn.Module):
    """Which character stands in which cell of a token.

    The pictures are drawn here, so the place of every glyph is known, and the tower can be told at once what the
    language model would have to find out from answers. Characters are named by the language model's own token
    embeddings, which hands it a tower that already speaks its language.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.presence = nn.Linear(width, SLOTS)
        self.slots = nn.Linear(width, SLOTS * SLOT_WIDTH)
        self.slot_norm = nn.LayerNorm(SLOT_WIDTH)
        self.name = nn.Linear(SLOT_WIDTH, width)

    def forward(self, seen: Tensor, glyphs: Tensor, embedding: Tensor) -> "Spelled":
        """`seen` (pictures, tokens, width); `glyphs` (n, 4): picture, token, slot, character's token id."""
        x = self.norm(seen)
        picture, place, slot, character = glyphs.unbind(1)
        presence = self.presence(x)  # (pictures, tokens, slots)
        there = torch.zeros_like(presence)
        there[picture, place, slot] = 1.0
        occupied = functional.binary_cross_entropy_with_logits(presence, there)
        # Only the cells that hold something are named: a page is mostly paper.
        cells = self.slots(x).unflatten(-1, (SLOTS, SLOT_WIDTH))[picture, place, slot]  # (n, slot width)
        logits = self.name(self.slot_norm(cells)) @ embedding.T  # (n, vocabulary)
        count = max(1, len(glyphs))  # photographs and shapes have none
        named = functional.cross_entropy(logits.float(), character, reduction="sum") / count
        right = (logits.argmax(-1) == character).float().sum() / count
        return Spelled(named + 4.0 * occupied, right, named.detach(), occupied.detach())


@dataclass(frozen=True, slots=True)
class Spelled:
    loss: Tensor
    right: Tensor  # share of characters named correctly
    named: Tensor  # nats per character
    occupied: Tensor  # nats per cell


class Whereabouts(nn.Module):
    """Where on the picture a token is; boxes, reading order and the next letter need it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.place = nn.Linear(width, 2 + 4 * len(WAVES))

    def forward(self, seen: Tensor, rows: int, columns: int) -> Tensor:
        """`seen` (pictures, tokens, width) -> mean squared error."""
        true = whereabouts(rows, columns).to(seen.device)
        return functional.mse_loss(self.place(self.norm(seen)).float(), true.expand(len(seen), -1, -1))


class Aids(nn.Module):
    """What a token shows, where it is, and which of its cells is read."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spelling = Spelling(width)
        self.whereabouts = Whereabouts(width)
        self.cells = nn.ModuleList([nn.Linear(width, SLOTS) for _ in range(2)])
