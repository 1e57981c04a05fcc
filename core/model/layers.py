"""Compute attention and MLP of the language model over packed rows, with fused products.

These layers compute what transformers' decoder layers do, and write keys and values in place. One call computes the
rows of many conversations, and a `RaggedBatch` says which rows belong to which. So every weight is read once for all.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.model.config import TextConfig
from core.model.pack import RaggedBatch
from core.model.prologue import RMSNorm
from core.model.quantize import LinearLayer
from core.model.rotary import Rotation


@dataclass(frozen=True, slots=True)
class Layer:
    """One decoder layer over (rows, hidden)."""

    attention: "Attention"
    mlp: "MLP"

    def __call__(self, hidden: Tensor, rotation: Rotation, pack: RaggedBatch, wanted: list[bool] | None) -> Tensor:
        """Bring the rows behind this layer, in place; with `wanted`, return only each wanted segment's last row."""
        queries = self.attention.project(hidden, rotation, pack)
        if wanted is not None:
            kept, pack = pack.ends(wanted)
            hidden, queries = hidden[kept], queries[kept]
        self.attention.out(pack.attend(self.attention.layer, queries), hidden)
        return self.mlp(hidden)


class Attention:
    """Grouped-query attention with normalized queries and keys. `qkv` normalizes the rows first."""

    def __init__(
        self, config: TextConfig, layer: int, qkv: LinearLayer, out: LinearLayer, q_norm: Tensor, k_norm: Tensor
    ) -> None:
        self.layer = layer
        self.dim = config.head_dim
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.qkv, self.out = qkv, out
        norm = torch.cat([q_norm.expand(self.heads, -1), k_norm.expand(self.kv_heads, -1)])  # (heads + kv_heads, dim)
        self.norm = RMSNorm(norm, config.rms_norm_eps)

    def project(self, hidden: Tensor, rotation: Rotation, pack: RaggedBatch) -> Tensor:
        """Return the queries (rows, heads, dim) of (rows, hidden), and store the keys and values."""
        x = self.qkv(hidden).view(len(hidden), -1, self.dim)  # (rows, heads + 2 kv_heads, dim)
        pack.rotate_and_write(self.layer, x, self.norm, rotation)
        return x[:, : self.heads]


@dataclass(frozen=True, slots=True)
class MLP:
    """The feed-forward network: `gate_up` normalizes the rows first, and `down` lets gates let through."""

    gate_up: LinearLayer
    down: LinearLayer

    def __call__(self, hidden: Tensor) -> Tensor:
        """Add its result to the rows (rows, hidden), in place."""
        return self.down(self.gate_up(hidden), hidden)
