"""Pack the rows of one forward call, conversation after conversation, and know what each row sees."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.model.kernel import WIDTH, Kernel
from core.model.kv import KV
from core.model.prologue import RMSNorm
from core.model.rotary import Rotation


@dataclass(frozen=True, slots=True)
class Segment:
    """`rows` new rows of `kv`; the first of them sees `before` others and itself."""

    kv: KV
    rows: int
    before: int


class RaggedBatch:
    """The segments of one forward call. With a kernel each row attends alone; without one torch attends per segment."""

    def __init__(self, segments: list[Segment], kernel: Kernel | None) -> None:
        self._segments = segments
        self._kernel = kernel
        self._longest = max((s.before + s.rows for s in segments), default=0)
        seen = [(s.kv.rows.data_ptr(), s.kv.rows.shape[2], s.before + n + 1) for s in segments for n in range(s.rows)]
        self._seen = torch.tensor(seen, dtype=torch.long)  # (rows, 3), see native/attention.c

    def ends(self, wanted: list[bool]) -> tuple[list[int], "RaggedBatch"]:
        """Return the indices of the wanted segments' last rows, and a batch of these rows alone."""
        rows, segments, first = [], [], 0
        for segment, want in zip(self._segments, wanted, strict=True):
            first += segment.rows
            if want:
                rows.append(first - 1)
                segments.append(Segment(segment.kv, 1, segment.before + segment.rows - 1))
        return rows, RaggedBatch(segments, self._kernel)

    def rotate_and_write(self, layer: int, x: Tensor, norm: RMSNorm, rotation: Rotation) -> None:
        """Normalize and rotate the queries and keys of x (rows, heads + 2 kv_heads, dim), in place.

        Then store the keys and values in their conversations.
        """
        if not self._segments:
            return
        kv_heads = self._segments[0].kv.heads
        if self._kernel and x.shape[2] % WIDTH == 0:
            self._kernel.rotate(x, norm, rotation, self._seen, layer, kv_heads)
            return
        turning = x[:, : x.shape[1] - kv_heads]
        turning.copy_(rotation.apply(norm(turning)))
        rows = torch.split(x[:, x.shape[1] - 2 * kv_heads :], [s.rows for s in self._segments])
        for segment, own in zip(self._segments, rows, strict=True):
            segment.kv.write(layer, own)

    def attend(self, layer: int, queries: Tensor) -> Tensor:
        """Let queries (rows, heads, dim) attend, and return (rows, heads * dim)."""
        if not self._segments:
            return queries.flatten(1)
        if self._kernel:
            heads = self._segments[0].kv.heads
            return self._kernel.attend(queries, self._seen, self._longest, layer, heads).flatten(1)
        parts = torch.split(queries, [s.rows for s in self._segments])
        return torch.cat([_attend(layer, own, s) for own, s in zip(parts, self._segments, strict=True)])


def _attend(layer: int, queries: Tensor, segment: Segment) -> Tensor:
    """Let one segment's queries (rows, heads, dim) attend, and return (rows, heads * dim)."""
    rows, heads, dim = queries.shape
    length, kv_heads = segment.before + rows, segment.kv.heads
    keys, values = segment.kv.read(layer, length)
    # Stack the queries of all heads that share a key head, so that keys need not be repeated.
    q = queries.view(rows, kv_heads, -1, dim).permute(1, 2, 0, 3).reshape(1, kv_heads, -1, dim)
    mask = torch.ones(rows, length, dtype=torch.bool).tril_(segment.before).repeat(heads // kv_heads, 1)
    y = nn.functional.scaled_dot_product_attention(q, keys, values, attn_mask=mask if rows > 1 else None)
    return y.view(kv_heads, -1, rows, dim).permute(2, 0, 1, 3).reshape(rows, heads * dim)
