"""A training aid: tells some attention heads of the language model where on the picture the quoted character stands.

Left alone, a language model learns from the answers first what answers look like, and ignores the picture for thousands
of steps. What an answer quotes was drawn here, so its place is known. The heads stay ordinary heads afterwards.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLTextAttention, Qwen3VLTextModel, apply_rotary_pos_emb

from training.model import READING

HERE = ((1, 0),)  # (layer that reads, head): where the character just written stands
THERE = ((3, 0), (4, 2))  # where the next one stands; a layer in between hears where the one before stood


class Pointing:
    """Listens to the attention layers of one forward pass, and judges it."""

    def __init__(self, language_model: Qwen3VLTextModel) -> None:
        self.heard: dict[int, tuple[Tensor, tuple[Tensor, Tensor]]] = {}
        self.layers: dict[int, Qwen3VLTextAttention] = {}
        count = len(language_model.layers) - READING  # that count, behind the first
        for index in sorted({layer + after for layer, _ in HERE + THERE for after in (0, 1)}):
            self.layers[index] = language_model.layers[index + count].self_attn
            self.layers[index].register_forward_pre_hook(self.listen(index), with_kwargs=True)

    def listen(self, index: int) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self.heard[index] = (kwargs["hidden_states"], kwargs["position_embeddings"])

        return hook

    def loss(self, here: Tensor, there: Tensor, cells: nn.ModuleList) -> tuple[Tensor, Tensor]:
        """Mean nats from the wanted image token, and the share of quoted characters found by the last head.

        `here` and `there` as in `Lessons`. A token shows several characters, so what the next layer hears must also
        say in which of its cells to read: `cells` are the linear layers that ask this, for here and there.
        """
        losses = []
        right = torch.zeros(())
        for heads, wanted, cell_of in zip((HERE, THERE), (here, there), cells, strict=True):
            if not len(wanted):
                continue
            row, query, key, cell = wanted.unbind(1)
            for layer, head in heads:
                found = scores(self.layers[layer], head, *self.heard[layer])[row, query]  # (n, keys)
                losses.append(functional.cross_entropy(found, key))
                right = (found.argmax(-1) == key).float().mean()
            heard = self.heard[heads[0][0] + 1][0]  # what the layer after the first of these heads hears
            losses.append(0.5 * functional.cross_entropy(cell_of(heard[row, query]).float(), cell))
        return torch.stack(losses).mean() if losses else torch.zeros((), device=here.device), right


def scores(attention: Qwen3VLTextAttention, head: int, hidden: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """What the softmax of a head sees, of what its layer's norm has evened: (conversations, queries, keys)."""
    width, group = attention.head_dim, head // attention.num_key_value_groups
    q = functional.linear(hidden, attention.q_proj.weight[head * width : (head + 1) * width])
    k = functional.linear(hidden, attention.k_proj.weight[group * width : (group + 1) * width])
    q, k = apply_rotary_pos_emb(attention.q_norm(q), attention.k_norm(k), *rotation, unsqueeze_dim=0)
    scores: Tensor = (q[0] @ k[0].transpose(1, 2)).float() * attention.scaling
    length = scores.shape[-1]
    future = torch.ones(length, length, dtype=torch.bool, device=scores.device).triu(1)
    return scores.masked_fill(future, float("-inf"))
