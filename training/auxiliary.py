"""Auxiliary losses, thrown away after the training. They use that the place of every drawn character is known.

Without them a language model first learns what answers look like, and ignores the picture for thousands of steps.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLTextAttention, Qwen3VLTextModel, apply_rotary_pos_emb

from training.model import CELLS, WAVES, coordinates

CELL_WIDTH = 64
HERE_HEADS = ((1, 0),)  # (layer, head) that attends to where the character just written stands
THERE_HEADS = ((3, 0), (4, 2))  # to where the next one stands; the layer between hears where the one before stood


class GlyphHead(nn.Module):
    """Names the character in each cell of a token.

    By the language model's own token embeddings, so that the tower learns to speak its language.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.presence = nn.Linear(width, CELLS)
        self.cells = nn.Linear(width, CELLS * CELL_WIDTH)
        self.cell_norm = nn.LayerNorm(CELL_WIDTH)
        self.name = nn.Linear(CELL_WIDTH, width)

    def forward(self, tokens: Tensor, glyphs: Tensor, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss, and the share of characters that are named correctly.

        `tokens` (pictures, tokens, width); `glyphs` (n, 4): picture, token, cell, character's token id.
        """
        x = self.norm(tokens)
        picture, place, cell, character = glyphs.unbind(1)
        presence = self.presence(x)  # (pictures, tokens, cells)
        occupied = torch.zeros_like(presence)
        occupied[picture, place, cell] = 1.0
        occupancy = functional.binary_cross_entropy_with_logits(presence, occupied)
        # Only the cells that hold something are named: a page is mostly paper.
        cells = self.cells(x).unflatten(-1, (CELLS, CELL_WIDTH))[picture, place, cell]  # (n, cell width)
        logits = self.name(self.cell_norm(cells)) @ embedding.T  # (n, vocabulary)
        count = max(1, len(glyphs))  # photographs have none
        named = functional.cross_entropy(logits.float(), character, reduction="sum") / count
        return named + 4.0 * occupancy, (logits.argmax(-1) == character).float().sum() / count


class PositionHead(nn.Module):
    """Says where in the picture a token is; boxes, reading order and the next letter need it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.place = nn.Linear(width, 2 + 4 * len(WAVES))

    def forward(self, tokens: Tensor, rows: int, columns: int) -> Tensor:
        """Return the mean squared error of `tokens` (pictures, tokens, width)."""
        true = coordinates(rows, columns).to(tokens.device)
        return functional.mse_loss(self.place(self.norm(tokens)).float(), true.expand(len(tokens), -1, -1))


class AuxiliaryHeads(nn.Module):
    """What a token shows, where it is, and which of its cells is read."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.glyphs = GlyphHead(width)
        self.positions = PositionHead(width)
        self.read_cells = nn.ModuleList([nn.Linear(width, CELLS) for _ in range(2)])


class AttentionSupervision:
    """Tells some attention heads where in the picture the quoted character stands.

    It records what the attention layers of a forward pass hear. The heads are ordinary heads afterwards.
    """

    def __init__(self, language_model: Qwen3VLTextModel) -> None:
        self.heard: dict[int, tuple[Tensor, tuple[Tensor, Tensor]]] = {}
        self.layers: dict[int, Qwen3VLTextAttention] = {}
        for index in sorted({layer + after for layer, _ in HERE_HEADS + THERE_HEADS for after in (0, 1)}):
            self.layers[index] = language_model.layers[index].self_attn
            self.layers[index].register_forward_pre_hook(self.record(index), with_kwargs=True)

    def record(self, index: int) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self.heard[index] = (kwargs["hidden_states"], kwargs["position_embeddings"])

        return hook

    def loss(self, here: Tensor, there: Tensor, read_cells: nn.ModuleList) -> Tensor:
        """Return the mean nats from the wanted image token; `here` and `there` as in `Batch`.

        A token shows several characters, so what the next layer hears must also say which of its cells to read.
        """
        losses = []
        for heads, wanted, cell_of in zip((HERE_HEADS, THERE_HEADS), (here, there), read_cells, strict=True):
            if not len(wanted):
                continue
            row, query, key, cell = wanted.unbind(1)
            for layer, head in heads:
                scores = attention_scores(self.layers[layer], head, *self.heard[layer])[row, query]  # (n, keys)
                losses.append(functional.cross_entropy(scores, key))
            heard = self.heard[heads[0][0] + 1][0]  # what the layer after the first of these heads hears
            losses.append(0.5 * functional.cross_entropy(cell_of(heard[row, query]).float(), cell))
        return torch.stack(losses).mean() if losses else torch.zeros((), device=here.device)


def attention_scores(
    attention: Qwen3VLTextAttention, head: int, hidden: Tensor, rotation: tuple[Tensor, Tensor]
) -> Tensor:
    """Return what the softmax of a head gets: (conversations, queries, keys)."""
    width, group = attention.head_dim, head // attention.num_key_value_groups
    q = functional.linear(hidden, attention.q_proj.weight[head * width : (head + 1) * width])
    k = functional.linear(hidden, attention.k_proj.weight[group * width : (group + 1) * width])
    q, k = apply_rotary_pos_emb(attention.q_norm(q), attention.k_norm(k), *rotation, unsqueeze_dim=0)
    scores: Tensor = (q[0] @ k[0].transpose(1, 2)).float() * attention.scaling
    future = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
    return scores.masked_fill(future, float("-inf"))
