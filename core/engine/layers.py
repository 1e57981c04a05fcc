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

    float32 of shape (layers, kv_heads, capacity, head_dim); pages that were never written take no memory. With `half`,
    values are rounded to float16 as they are written, so what is kept in 16 bits is exactly what was computed with.
    """

    def __init__(self, layers: int, heads: int, capacity: int, dim: int, half: bool) -> None:
        self.keys = torch.empty(layers, heads, capacity, dim)
        self.values = torch.empty(layers, heads, capacity, dim)
        self.length = 0
        self.half = half

    def write(self, layer: int, start: int, keys: Tensor, values: Tensor) -> None:
        """`keys`, `values`: (rows, kv_heads, head_dim)."""
        if self.half:
            keys, values = keys.half(), values.half()
        stop = start + len(keys)
        self.keys[layer, :, start:stop] = keys.transpose(0, 1)  # (kv_heads, rows, head_dim)
        self.values[layer, :, start:stop] = values.transpose(0, 1)


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
        queries, keys, values = self.attention.project(self.before(hidden), rotation)
        ends = {}
        spans: list[tuple[Segment, slice, Tensor | None]] = []
        for segment in segments:
            own = slice(segment.first, segment.first + segment.rows)
            segment.kv.write(self.attention.layer, segment.kv.length, keys[own], values[own])
            ends[own.stop - 1] = segment
            spans.append((segment, own, segment.mask))
        if kept is not None:
            hidden, queries = hidden[kept], queries[kept]
            spans = [(ends[row], slice(n, n + 1), None) for n, row in enumerate(kept)]
        attended = torch.empty(len(queries), self.attention.width)
        for segment, own, mask in spans:
            length = segment.kv.length + segment.rows
            attended[own] = self.attention.attend(queries[own], segment.kv, length, mask)
        hidden = hidden + self.attention.out(attended)
        result: Tensor = hidden.add_(self.mlp(self.between(hidden)))
        return result


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

    def project(self, x: Tensor, rotation: Rotation) -> tuple[Tensor, Tensor, Tensor]:
        """(rows, hidden) -> queries (rows, heads, dim), keys and values (rows, kv_heads, dim)"""
        x = self.qkv(x).view(len(x), -1, self.dim)  # (rows, heads + 2 kv_heads, dim)
        both = self.heads + self.kv_heads
        turned = rotation.turn(self.norm(x[:, :both]))
        return turned[:, : self.heads], turned[:, self.heads :], x[:, both:]

    def attend(self, queries: Tensor, kv: KV, length: int, mask: Tensor | None) -> Tensor:
        """queries (rows, heads, dim) to the first `length` rows of `kv` -> (rows, heads * dim)"""
        rows = len(queries)
        # The queries of all heads that share a key head stand under each other, so keys need not be repeated.
        q = queries.view(rows, self.kv_heads, self.groups, self.dim).permute(
            1, 2, 0, 3
        )  # (kv_heads, groups, rows, dim)
        y = nn.functional.scaled_dot_product_attention(
            q.reshape(1, self.kv_heads, self.groups * rows, self.dim),
            kv.keys[None, self.layer, :, :length],
            kv.values[None, self.layer, :, :length],
            attn_mask=mask,
        )  # (1, kv_heads, groups * rows, dim)
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
