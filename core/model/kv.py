"""Hold the keys and values of one conversation."""

import math
import mmap
from collections.abc import Sequence

import torch
from torch import Tensor


def take_pages(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Return an empty tensor in memory pages of its own.

    The system gets them back as soon as the tensor is gone, and pages that were never written take no memory. Use it
    for what is kept for minutes; `shape` must not contain a zero. In the heap such tensors leave holes between
    short-lived activations: after ten minutes of 60 conversations with the demo model, 500 of 1,200 MB were holes.
    """
    pages = mmap.mmap(-1, math.prod(shape) * dtype.itemsize, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return torch.frombuffer(pages, dtype=dtype).view(*shape)


class KV:
    """Keys and values, of which the first `length` rows are computed.

    `rows` are (layers, 2 kv_heads, capacity, head_dim), keys first, in float16 or float32.
    """

    def __init__(self, layers: int, heads: int, capacity: int, dim: int, dtype: torch.dtype) -> None:
        self.heads = heads
        self.rows = take_pages((layers, 2 * heads, capacity, dim), dtype)
        self.length = 0

    def write(self, layer: int, rows: Tensor) -> None:
        """Store `rows` (rows, 2 kv_heads, head_dim) of one layer behind the first `length`."""
        self.rows[layer, :, self.length : self.length + len(rows)] = rows.transpose(0, 1)  # (2 kv_heads, rows, dim)

    def read(self, layer: int, length: int) -> tuple[Tensor, Tensor]:
        """Return the layer's keys and values, (1, kv_heads, length, head_dim) each, in float32."""
        rows = self.rows[layer, None, :, :length].float()
        return rows[:, : self.heads], rows[:, self.heads :]

    def is_finite(self, first: int) -> bool:
        """Return whether all rows from `first` on are finite numbers.

        The last layer is enough: a value that is not finite spreads to all later layers.
        """
        return bool(torch.isfinite(self.rows[-1, :, first : self.length]).all())
