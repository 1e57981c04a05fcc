"""Keys and values of one conversation."""

import math
import mmap
from collections.abc import Sequence

import torch
from torch import Tensor


def take_pages(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """An empty tensor in pages of its own: the system has them back as soon as it is gone, and those that were never
    written take no memory.

    For what is kept for minutes; `shape` has no zero. In the heap, between short-lived activations, it leaves holes:
    after ten minutes of 60 conversations with the demo model they were 500 of 1,200 MB.
    """
    pages = mmap.mmap(-1, math.prod(shape) * dtype.itemsize, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return torch.frombuffer(pages, dtype=dtype).view(*shape)


class KV:
    """The first `length` rows are computed. Kept and computed with in one type, float16 or float32.

    `rows` are (layers, 2 kv_heads, capacity, head_dim), keys first.
    """

    def __init__(self, layers: int, heads: int, capacity: int, dim: int, dtype: torch.dtype) -> None:
        self.heads = heads
        self.rows = take_pages((layers, 2 * heads, capacity, dim), dtype)
        self.length = 0

    def write(self, layer: int, rows: Tensor) -> None:
        """`rows`: (rows, 2 kv_heads, head_dim), those after `length`."""
        self.rows[layer, :, self.length : self.length + len(rows)] = rows.transpose(0, 1)  # (2 kv_heads, rows, dim)

    def read(self, layer: int, length: int) -> tuple[Tensor, Tensor]:
        """Keys and values (1, kv_heads, length, head_dim) each, in float32."""
        rows = self.rows[layer, None, :, :length].float()
        return rows[:, : self.heads], rows[:, self.heads :]

    def is_finite(self, first: int) -> bool:
        """Return whether the rows from `first` on are numbers: what is none in one layer is none in those behind it."""
        return bool(torch.isfinite(self.rows[-1, :, first : self.length]).all())
