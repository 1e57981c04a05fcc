"""Keys and values of one conversation."""

import torch
from torch import Tensor


class KV:
    """The first `length` rows are computed. Kept and computed with in one type, float16 or float32.

    `rows` are (layers, 2 kv_heads, capacity, head_dim), keys first; pages that were never written take no memory.
    """

    def __init__(self, layers: int, heads: int, capacity: int, dim: int, dtype: torch.dtype) -> None:
        self.heads = heads
        self.rows = torch.empty(layers, 2 * heads, capacity, dim, dtype=dtype)
        self.length = 0

    def write(self, layer: int, rows: Tensor) -> None:
        """`rows`: (rows, 2 kv_heads, head_dim), those after `length`."""
        self.rows[layer, :, self.length : self.length + len(rows)] = rows.transpose(0, 1)  # (2 kv_heads, rows, dim)

    def read(self, layer: int, length: int) -> tuple[Tensor, Tensor]:
        """Keys and values (1, kv_heads, length, head_dim) each, in float32."""
        rows = self.rows[layer, None, :, :length].float()
        return rows[:, : self.heads], rows[:, self.heads :]
