"""Compute attention and MLP of the language model over packed rows, with fused products.

These layers compute what transformers' decoder layers do, and write keys and values in place. One call computes the
rows of many conversations, and a `RaggedBatch` says which rows belong to which. So every weight is read once for all.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.model.config import TextConfig
from core.model.pack import RaggedBatch
from core.model.quantize import LinearLayer
from core.model.rotary import Rotation


@dataclass(frozen=True, slots=True)
class Layer:
    """One decoder layer over (rows, hidden)."""

    attention: "Attention"
    mlp: "MLP"
    before: "Norm"
    between: "Norm"

    def __call__(self, hidden: Tensor, rotation: Rotation, pack: RaggedBatch, wanted: list[bool] | None) -> Tensor:
        """Return the rows after this layer; with `wanted`, only the last row of each wanted segment."""
        queries, rows = self.attention.project(self.before(hidden), rotation)
        pack.write(self.attention.layer, rows)
        if wanted is not None:
            kept, pack = pack.ends(wanted)
            hidden, queries = hidden[kept], queries[kept]
        result = self.attention.out(pack.attend(self.attention.layer, queries)).add_(hidden)
        return result.add_(self.mlp(self.between(result)))


class Attention:
    """Grouped-query attention with normalized queries and keys."""

    def __init__(
        self, config: TextConfig, layer: int, qkv: LinearLayer, out: LinearLayer, q_norm: Tensor, k_norm: Tensor
    ) -> None:
        self.layer = layer
        self.dim = config.head_dim
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.qkv, self.out = qkv, out
        norm = torch.cat([q_norm.expand(self.heads, -1), k_norm.expand(self.kv_heads, -1)])  # (heads + kv_heads, dim)
        self.norm = Norm(norm, config.rms_norm_eps)

    def project(self, x: Tensor, rotation: Rotation) -> tuple[Tensor, Tensor]:
        """Turn (rows, hidden) into queries (rows, heads, dim), and keys and values (rows, 2 kv_heads, dim)."""
        x = self.qkv(x).view(len(x), -1, self.dim)  # (rows, heads + 2 kv_heads, dim)
        turning = x[:, : self.heads + self.kv_heads]
        turning.copy_(rotation.apply(self.norm(turning)))
        return x[:, : self.heads], x[:, self.heads :]


@dataclass(frozen=True, slots=True)
class MLP:
    gate_up: LinearLayer
    down: LinearLayer

    def __call__(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)  # (rows, intermediate) each
        return self.down(nn.functional.silu(gate).mul_(up))


class Norm:
    """RMSNorm in fewer operations: half the time of torch's for a few rows."""

    def __init__(self, weight: Tensor, eps: float) -> None:
        size = weight.shape[-1]
        self.weight, self.eps = weight * size**0.5, eps * size

    def __call__(self, x: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(x, 2, -1, keepdim=True)
        result: Tensor = (x * length.square_().add_(self.eps).rsqrt_()).mul_(self.weight)
        return result
