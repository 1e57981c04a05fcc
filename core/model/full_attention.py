"""Attend from some patches of a picture to all of them."""

from torch import Tensor, nn

from core.model.kernel import WIDTH, Kernel


class FullAttention:
    """The keys and values (patches, heads, dim) of one block, as the kernel reads them, or torch without one."""

    def __init__(self, keys: Tensor, values: Tensor, kernel: Kernel | None) -> None:
        self._length, heads, dim = keys.shape
        self._kernel = kernel if dim % WIDTH == 0 else None
        if self._kernel:  # see native/full_attention.c
            missing = (0, 0, 0, 0, 0, -self._length % WIDTH)
            keys, values = (nn.functional.pad(each, missing) for each in (keys, values))
            self._keys = keys.view(-1, WIDTH, heads, dim).permute(2, 0, 3, 1).contiguous()
            self._values = values.view(-1, heads, dim // WIDTH, WIDTH).permute(1, 2, 0, 3).contiguous()
        else:
            self._keys, self._values = (each.transpose(0, 1)[None] for each in (keys, values))

    def __call__(self, queries: Tensor) -> Tensor:
        """Let queries (rows, heads, dim) attend, and return (rows, heads * dim)."""
        if self._kernel:
            return self._kernel.attend_fully(queries, self._keys, self._values, self._length).flatten(1)
        ours = queries.transpose(0, 1)[None]  # (1, heads, rows, dim)
        return nn.functional.scaled_dot_product_attention(ours, self._keys, self._values)[0].transpose(0, 1).flatten(1)
