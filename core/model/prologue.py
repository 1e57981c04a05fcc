"""What becomes of rows before a linear layer multiplies them: a norm or an activation.

Each is called for what torch computes. The kernel computes the same while it rounds the rows (native/prologue.h), which
spares a pass over them, and a dozen calls for each layer of each step.

`kind` is its number there, `width` how many inputs become one number.
"""

import torch
from torch import Tensor, nn


class RMSNorm:
    """Normalize the last dimension, in fewer operations: half the time of torch's for a few rows."""

    kind, width = 1, 1

    def __init__(self, weight: Tensor, eps: float) -> None:
        size = weight.shape[-1]
        self.weight, self.eps = weight * size**0.5, eps * size

    def __call__(self, x: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(x, 2, -1, keepdim=True)
        result: Tensor = (x * length.square_().add_(self.eps).rsqrt_()).mul_(self.weight)
        return result


class GELU:
    """As approximated by tanh."""

    kind, width = 2, 1

    def __call__(self, x: Tensor) -> Tensor:
        return nn.functional.gelu(x, approximate="tanh")


class SwiGLU:
    """Let the gates (rows, k) let through what stands behind them: (rows, 2 k) becomes (rows, k)."""

    kind, width = 3, 2

    def __call__(self, x: Tensor) -> Tensor:
        gate, up = x.chunk(2, dim=-1)
        return nn.functional.silu(gate).mul_(up)


Prologue = RMSNorm | GELU | SwiGLU
