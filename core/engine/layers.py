"""Attention and MLP of the language model over packed rows: fused, and writing keys and values in place.

They take the place of transformers' modules of the same name. One call computes the rows of many conversations: a
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


class Attention(nn.Module):
    """Grouped-query attention with normalized queries and keys; `theirs` is transformers' module of the same layer."""

    def __init__(self, theirs: Any, qkv: nn.Module, out: nn.Module, q_norm: Tensor, k_norm: Tensor) -> None:
        super().__init__()
        config = theirs.config
        self.layer = theirs.layer_idx
        self.dim = theirs.head_dim
        self.heads = config.num_attention_heads
        self.kv_heads = config.num_key_value_heads
        self.groups = theirs.num_key_value_groups
        self.eps = config.rms_norm_eps
        self.qkv, self.out = qkv, out
        self.norm = torch.cat(
            [q_norm.expand(self.heads, -1), k_norm.expand(self.kv_heads, -1)]
        )  # (heads + kv_heads, dim)

    def forward(
        self,
        hidden_states: Tensor,  # (1, rows, hidden)
        position_embeddings: tuple[Tensor, Tensor],  # (rows, 1, dim) each, the sine's first half negated
        segments: list[Segment],
        **unused: Any,
    ) -> tuple[Tensor, None]:
        rows = hidden_states.shape[1]
        x = self.qkv(hidden_states[0]).view(rows, -1, self.dim)  # (rows, heads + 2 kv_heads, dim)
        qk, values = x.tensor_split((self.heads + self.kv_heads,), dim=1)
        qk = nn.functional.rms_norm(qk, (self.dim,), None, self.eps).mul_(self.norm)
        cos, sin = position_embeddings
        qk = (qk * cos).addcmul_(qk.roll(self.dim // 2, -1), sin)
        queries, keys = qk.tensor_split((self.heads,), dim=1)
        out = x.new_empty(rows, self.heads * self.dim)
        for segment in segments:
            own = slice(segment.first, segment.first + segment.rows)
            out[own] = self._attend(segment, queries[own], keys[own], values[own])
        return self.out(out)[None], None

    def _attend(self, segment: Segment, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """queries (rows, heads, dim), keys and values (rows, kv_heads, dim) -> (rows, heads * dim)."""
        kv, rows = segment.kv, segment.rows
        kv.write(self.layer, kv.length, keys, values)
        stop = kv.length + rows
        # The queries of all heads that share a key head stand under each other, so keys need not be repeated.
        q = queries.view(rows, self.kv_heads, self.groups, self.dim).permute(
            1, 2, 0, 3
        )  # (kv_heads, groups, rows, dim)
        y = nn.functional.scaled_dot_product_attention(
            q.reshape(1, self.kv_heads, self.groups * rows, self.dim),
            kv.keys[None, self.layer, :, :stop],
            kv.values[None, self.layer, :, :stop],
            attn_mask=segment.mask,
        )  # (1, kv_heads, groups * rows, dim)
        y = y.view(self.kv_heads, self.groups, rows, self.dim).permute(2, 0, 1, 3)  # (rows, kv_heads, groups, dim)
        return y.reshape(rows, -1)


class MLP(nn.Module):
    def __init__(self, gate_up: nn.Module, down: nn.Module) -> None:
        super().__init__()
        self.gate_up, self.down = gate_up, down

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x[0]).chunk(2, dim=-1)  # (rows, intermediate) each
        return self.down(nn.functional.silu(gate).mul_(up))[None]  # type: ignore[no-any-return]


class Norm(nn.Module):
    """RMSNorm in one call."""

    def __init__(self, weight: Tensor, eps: float) -> None:
        super().__init__()
        self.weight, self.eps = weight, eps

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.rms_norm(x, (x.shape[-1],), self.weight, self.eps)
