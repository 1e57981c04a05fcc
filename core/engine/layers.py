"""Attention and MLP of the language model over packed rows: fused, and writing keys and values in place.

They take the place of transformers' decoder layers. One call computes the rows of many conversations: a
segment says which rows are whose. Every weight is read once for all of them.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


class KV:
    """Keys and values of one conversation; the first `length` rows are computed.

    float32 of shape (layers, 2 kv_heads, capacity, head_dim), keys first; pages that were never written take no memory.
    With `half`, values are rounded to float16 as they are written, so what is kept in 16 bits is exactly what was
    computed with.
    """

    def __init__(self, layers: int, heads: int, capacity: int, dim: int, half: bool) -> None:
        self.heads = heads
        self.rows = torch.empty(layers, 2 * heads, capacity, dim)
        self.length = 0
        self.half = half

    def write(self, layer: int, rows: Tensor) -> None:
        """`rows`: (rows, 2 kv_heads, head_dim), those after `length`."""
        target = self.rows[layer, :, self.length : self.length + len(rows)]  # (2 kv_heads, rows, head_dim)
        target.copy_((rows.half() if self.half else rows).transpose(0, 1))

    def read(self, layer: int, length: int) -> tuple[Tensor, Tensor]:
        """Keys and values (1, kv_heads, length, head_dim) each."""
        rows = self.rows[layer, None, :, :length]
        return rows[:, : self.heads], rows[:, self.heads :]


@dataclass(slots=True)
class Segment:
    """`rows` of the pack from `first` on belong to `kv`, where they become rows from `kv.length` on."""

    kv: KV
    first: int
    rows: int
    mask: Tensor | None  # (groups * rows, kv.length + rows), added to the scores; None for one row, which sees all


def make_segment(kv: KV, first: int, rows: int, groups: int) -> Segment:
    if rows == 1:
        return Segment(kv, first, rows, None)
    seen = torch.ones(rows, kv.length + rows, dtype=torch.bool).tril_(kv.length)  # row i sees itself and all before
    mask = torch.zeros(seen.shape).masked_fill_(~seen, -torch.inf)
    return Segment(kv, first, rows, mask.repeat(groups, 1))


class Layer(nn.Module):
    """One decoder layer over (rows, hidden): takes the place of transformers' module with the same arithmetic."""

    def __init__(self, attention: "Attention", mlp: "MLP", before: "Norm", between: "Norm") -> None:
        super().__init__()
        self.attention, self.mlp, self.before, self.between = attention, mlp, before, between

    def forward(self, hidden: Tensor, rotation: "Rotation", segments: list[Segment], kept: list[int] | None) -> Tensor:
        """With `kept`, only those rows are wanted any more, each of them the last of its segment."""
        queries, rows = self.attention.project(self.before(hidden), rotation)
        ends = {}
        spans: list[tuple[Segment, slice, Tensor | None]] = []
        for segment in segments:
            own = slice(segment.first, segment.first + segment.rows)
            segment.kv.write(self.attention.layer, rows[own])
            ends[own.stop - 1] = segment
            spans.append((segment, own, segment.mask))
        if kept is not None:
            hidden, queries = hidden[kept], queries[kept]
            spans = [(ends[row], slice(n, n + 1), None) for n, row in enumerate(kept)]
        parts = [self.attention.attend(queries[own], segment, mask) for segment, own, mask in spans]
        attended = (
            parts[0] if len(parts) == 1 else torch.cat(parts) if parts else hidden.new_empty(0, self.attention.width)
        )
        result: Tensor = self.attention.out(attended).add_(hidden)
        return result.add_(self.mlp(self.between(result)))


@dataclass(frozen=True, slots=True)
class Rotation:
    """Rotary embedding of the pack's positions, (rows, 1, dim) each; the sine's first half is negated."""

    cos: Tensor
    sin: Tensor

    @classmethod
    def of(cls, cos: Tensor, sin: Tensor) -> "Rotation":
        """From (rows, dim) as transformers computes them."""
        half = sin.shape[-1] // 2
        return cls(cos[:, None], torch.cat([-sin[:, :half], sin[:, half:]], -1)[:, None])

    def turn(self, x: Tensor) -> Tensor:
        """x: (rows, heads, dim)"""
        return (x * self.cos).addcmul_(x.roll(x.shape[-1] // 2, -1), self.sin)


class Attention(nn.Module):
    """Grouped-query attention with normalized queries and keys."""

    def __init__(self, config: Any, layer: int, qkv: nn.Module, out: nn.Module, q_norm: Tensor, k_norm: Tensor) -> None:
        super().__init__()
        self.layer = layer
        self.dim = config.head_dim
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.groups = self.heads // self.kv_heads
        self.width = self.heads * self.dim
        self.qkv, self.out = qkv, out
        norm = torch.cat([q_norm.expand(self.heads, -1), k_norm.expand(self.kv_heads, -1)])  # (heads + kv_heads, dim)
        self.norm = Norm(norm, config.rms_norm_eps)

    def project(self, x: Tensor, rotation: Rotation) -> tuple[Tensor, Tensor]:
        """(rows, hidden) -> queries (rows, heads, dim), keys and values (rows, 2 kv_heads, dim)"""
        x = self.qkv(x).view(len(x), -1, self.dim)  # (rows, heads + 2 kv_heads, dim)
        turning = x[:, : self.heads + self.kv_heads]
        turning.copy_(rotation.turn(self.norm(turning)))
        return x[:, : self.heads], x[:, self.heads :]

    def attend(self, queries: Tensor, segment: Segment, mask: Tensor | None) -> Tensor:
        """queries (rows, heads, dim), the last ones of `segment` -> (rows, heads * dim)"""
        rows = len(queries)
        keys, values = segment.kv.read(self.layer, segment.kv.length + segment.rows)
        # The queries of all heads that share a key head stand under each other, so keys need not be repeated.
        q = queries.reshape(rows, self.kv_heads, self.groups, self.dim).permute(1, 2, 0, 3)
        q = q.reshape(1, self.kv_heads, self.groups * rows, self.dim)
        y = nn.functional.scaled_dot_product_attention(q, keys, values, attn_mask=mask)
        y = y.view(self.kv_heads, self.groups, rows, self.dim).permute(2, 0, 1, 3)  # (rows, kv_heads, groups, dim)
        return y.reshape(rows, self.width)


class MLP(nn.Module):
    def __init__(self, gate_up: nn.Module, down: nn.Module) -> None:
        super().__init__()
        self.gate_up, self.down = gate_up, down

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)  # (rows, intermediate) each
        down: Tensor = self.down(nn.functional.silu(gate).mul_(up))
        return down


class Norm(nn.Module):
    """RMSNorm: half the time of torch's for a few rows, where the number of operations counts."""

    def __init__(self, weight: Tensor, eps: float) -> None:
        super().__init__()
        size = weight.shape[-1]
        self.weight, self.eps = weight * size**0.5, eps * size

    def forward(self, x: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(x, 2, -1, keepdim=True)
        result: Tensor = (x * length.square_().add_(self.eps).rsqrt_()).mul_(self.weight)
        return result
