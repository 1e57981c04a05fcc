"""Compute attention and MLP of the language model over packed rows, with fused products.

These layers compute what transformers' decoder layers do, and write keys and values in place. One call computes the
rows of many conversations, and a `RaggedBatch` says which rows belong to which. So every weight is read once for all.
"""

import torch
from torch import Tensor, nn

from core.model.config import TextConfig
from core.model.pack import RaggedBatch
from core.model.rotary import Rotation


class Layer(nn.Module):
    """One decoder layer over (rows, hidden)."""

    def __init__(self, attention: "Attention", mlp: "MLP", before: "Norm", between: "Norm") -> None:
        super().__init__()
        self.attention, self.mlp, self.before, self.between = attention, mlp, before, between

    def forward(self, hidden: Tensor, rotation: Rotation, pack: RaggedBatch, wanted: list[bool] | None) -> Tensor:
        """Return the rows after this layer; with `wanted`, only the last row of each wanted segment."""
        queries, rows = self.attention.project(self.before(hidden), rotation)
        pack.write(self.attention.layer, rows)
        if wanted is not None:
            kept, pack = pack.ends(wanted)
            hidden, queries = hidden[kept], queries[kept]
        result: Tensor = self.attention.out(pack.attend(self.attention.layer, queries)).add_(hidden)
        return result.add_(self.mlp(self.between(result)))


class Attention(nn.Module):
    """Grouped-query attention with normalized queries and keys."""

    def __init__(
        self, config: TextConfig, layer: int, qkv: nn.Module, out: nn.Module, q_norm: Tensor, k_norm: Tensor
    ) -> None:
        super().__init__()
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


class MLP(nn.Module):
    def __init__(self, gate_up: nn.Module, down: nn.Module) -> None:
        super().__init__()
        self.gate_up, self.down = gate_up, down

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)  # (rows, intermediate) each
        down: Tensor = self.down(nn.functional.silu(gate).mul_(up))
        return down


class Norm(nn.Module):
    """RMSNorm in fewer operations: half the time of torch's for a few rows."""

    def __init__(self, weight: Tensor, eps: float) -> None:
        super().__init__()
        size = weight.shape[-1]
        self.weight, self.eps = weight * size**0.5, eps * size

    def forward(self, x: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(x, 2, -1, keepdim=True)
        result: Tensor = (x * length.square_().add_(self.eps).rsqrt_()).mul_(self.weight)
        return result
