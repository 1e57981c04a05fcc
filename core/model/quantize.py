"""Matrix products with float32, float16 or int8 weights. They are put into transformers' model from outside.

float16: FBGEMM multiplies float16 weights and sums in float32; on real weights the KL to float32 is 0.0000.
int8: weights have one scale per output channel; activations are rounded to 13-16 bits, so that nothing is lost but the
weights' own rounding.
"""

import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from core.errors import OperatorError
from core.model.kernel import WIDTH, Kernel
from core.model.kv import take_pages
from core.model.precision import Precision
from core.model.weight_cache import WeightCache

PART = 1024  # channels quantized at once: a vocabulary of 150,000 in float32 would take more than a gigabyte
LARGEST_SUM = 2**31 - 1
Weights = Callable[[], tuple[Tensor, Tensor | None]]  # reads (out, in) and maybe (out,)


class Linear(nn.Module):
    """(rows, in) -> (rows, out), float32 in and out."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weight, self.bias = weight.float(), bias

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight, self.bias)


class Float16Linear(nn.Module):
    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        with warnings.catch_warnings():  # deprecated in favour of torchao, which has no such kernel; torch is pinned
            warnings.simplefilter("ignore")
            copied = weight.to(torch.float32, copy=True)  # it writes to what float16 cannot hold; ours is mapped
            self.packed = torch.ops.quantized.linear_prepack_fp16(copied, bias)

    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.quantized.linear_dynamic_fp16(x, self.packed)  # type: ignore[no-any-return]


class BFloat16Linear(nn.Module):
    """Where FBGEMM is missing (processors that are not x86)."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weight, self.bias = weight.bfloat16(), bias

    def forward(self, x: Tensor) -> Tensor:
        y = nn.functional.linear(x.bfloat16(), self.weight).float()
        return y if self.bias is None else y + self.bias


class Int8Linear(nn.Module):
    """`weights` are as `quantize` makes them."""

    def __init__(self, kernel: Kernel, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self._kernel = kernel
        self.panels, self.scale, self.bias = weights["panels"], weights["scale"], weights.get("bias")
        self.steps, self.channels = float(weights["steps"]), int(weights["channels"])

    def forward(self, x: Tensor) -> Tensor:
        return self._kernel.multiply(x, self.panels, self.scale, self.bias, self.steps)[:, : self.channels]


def quantize(weight: Tensor, bias: Tensor | None) -> dict[str, Tensor]:
    """(out, in) -> int8 panels (see native/linear.c), their scales, and the steps activations may be rounded to.

    A sum is largest when all activations of a row are: as many steps as fit with these weights never overflow.
    Raises `OperatorError` for layers whose input is no multiple of 16.
    """
    if weight.shape[1] % WIDTH:
        raise OperatorError('This model has layers that int8 does not fit: set precision = "float16" in [core.engine].')
    channels, inner = weight.shape
    padded = -(-channels // WIDTH) * WIDTH  # zeros fill the last panel
    panels = take_pages((padded // WIDTH, inner // 2, WIDTH, 2), torch.int8)
    scale, heaviest = torch.zeros(padded), 1
    room = take_pages((min(PART, padded), inner), torch.float32)  # nothing large in the heap, where it leaves holes
    for first in range(0, channels, PART):
        count = min(PART, channels - first)
        part = room[:count].copy_(weight[first : first + count])
        own = scale[first : first + count].copy_(torch.linalg.vector_norm(part, torch.inf, 1))
        part.div_(own.clamp_(min=1e-20).div_(127.0)[:, None]).round_()
        whole = room[: -(-count // WIDTH) * WIDTH]
        whole[count:] = 0.0
        whole = whole.view(-1, WIDTH, inner // 2, 2).transpose(1, 2)  # (panels, in / 2, 16, 2)
        panels[first // WIDTH :][: len(whole)] = whole
        heaviest = max(heaviest, int(part.abs_().sum(1).max()))  # whole numbers below 2^24: exact
    steps = float(min(2**15 - 1, LARGEST_SUM // heaviest))
    made = {"panels": panels, "scale": scale, "steps": torch.tensor(steps), "channels": torch.tensor(channels)}
    return made if bias is None else made | {"bias": nn.functional.pad(bias, (0, padded - channels))}


class LinearFactory:
    """Makes linear layers of one precision. int8 weights are kept in `folder`, if there is one."""

    def __init__(self, precision: Precision, kernel: Kernel | None, folder: Path | None) -> None:
        self._precision = precision
        self._kernel = kernel
        self._cache = WeightCache(folder, kernel) if kernel and folder else None

    def linear(self, name: str, read: Weights) -> nn.Module:
        """`read` is called unless int8 weights are known already."""
        if self._kernel is not None:
            made = self._cache.get(name, lambda: quantize(*read())) if self._cache else quantize(*read())
            return Int8Linear(self._kernel, made)
        weight, bias = read()
        if self._precision is Precision.FLOAT32:
            return Linear(weight, bias)
        return Float16Linear(weight, bias) if has_fbgemm() else BFloat16Linear(weight, bias)


def has_fbgemm() -> bool:
    return "fbgemm" in torch.backends.quantized.supported_engines
