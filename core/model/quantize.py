"""Make linear layers with float32, float16 or int8 weights.

float16: FBGEMM multiplies float16 weights and adds up in float32; on real weights the KL divergence from float32 is
0.0000. int8: weights have one scale per output channel. Activations are rounded to 13-16 bits, so that only the
rounding of the weights loses precision.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from core.errors import OperatorError
from core.model.kernel import MOST_STEPS, WIDTH, Kernel, Product
from core.model.kv import take_pages
from core.model.precision import Precision
from core.model.prologue import Prologue
from core.model.weight_cache import WeightCache

CHANNELS_AT_ONCE = 1024  # a vocabulary of 150,000 quantized at once in float32 would take more than a gigabyte
LARGEST_SUM = 2**31 - 1
Weights = Callable[[], tuple[Tensor, Tensor | None]]  # reads (out, in) and maybe (out,)


class LinearLayer(Protocol):
    """Multiplies (rows, in) to (rows, out), or adds that to `residual` (rows, out) and returns this."""

    def __call__(self, x: Tensor, residual: Tensor | None = None) -> Tensor: ...


class Unfused:
    """A linear layer whose prologue and residual torch computes before and after it."""

    def __init__(self, multiply: Callable[[Tensor], Tensor], prologue: Prologue | None) -> None:
        self._multiply, self._prologue = multiply, prologue

    def __call__(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        y = self._multiply(self._prologue(x) if self._prologue else x)
        return y if residual is None else residual.add_(y)


class Float32Linear:
    """Multiply (rows, in) to (rows, out) with float32 weights."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight, self.bias = weight.float(), bias

    def __call__(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight, self.bias)


class Float16Linear:
    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        with warnings.catch_warnings():  # deprecated in favour of torchao, which has no such kernel; torch is pinned
            warnings.simplefilter("ignore")
            copied = weight.to(torch.float32, copy=True)  # it writes to what float16 cannot hold; ours is mapped
            self.packed = torch.ops.quantized.linear_prepack_fp16(copied, bias)

    def __call__(self, x: Tensor) -> Tensor:
        return torch.ops.quantized.linear_dynamic_fp16(x, self.packed)  # type: ignore[no-any-return]


class BFloat16Linear:
    """Multiply with bfloat16 weights where FBGEMM is missing, on processors that are not x86."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight, self.bias = weight.bfloat16(), bias

    def __call__(self, x: Tensor) -> Tensor:
        y = nn.functional.linear(x.bfloat16(), self.weight).float()
        return y if self.bias is None else y + self.bias


class Int8Linear:
    """Multiply with int8 weights as `quantize` makes them."""

    def __init__(self, kernel: Kernel, weights: dict[str, Tensor], prologue: Prologue | None = None) -> None:
        self._kernel, self._channels = kernel, int(weights["channels"])
        panels, scale, bias = weights["panels"], weights["scale"], weights.get("bias")
        self._product = Product(panels, scale, bias, float(weights["steps"]), prologue)

    def __call__(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        y = self._kernel.multiply(x, self._product, residual)
        return y if self._channels == y.shape[1] else y[:, : self._channels]


def quantize(kernel: Kernel, weight: Tensor, bias: Tensor | None) -> dict[str, Tensor]:
    """Turn a weight (out, in) into the kernel's int8 panels, scales, and rounding steps for activations.

    A sum is largest when all activations of a row are largest, so the steps are as many as can never overflow with
    these weights. Raises `OperatorError` for layers whose input is no multiple of 16.
    """
    if weight.shape[1] % WIDTH:
        raise OperatorError('This model has layers that int8 does not fit: set precision = "float16" in [core.engine].')
    channels, inner = weight.shape
    padded = -(-channels // WIDTH) * WIDTH  # zeros fill the last panel
    width, inputs = kernel.panel
    panels = take_pages((padded // width, inner // inputs, width, inputs), torch.int8)
    scale, heaviest = torch.zeros(padded), 1
    # Nothing large goes to the heap, where it would leave holes.
    room = take_pages((min(CHANNELS_AT_ONCE, padded), inner), torch.float32)
    for first in range(0, channels, CHANNELS_AT_ONCE):
        count = min(CHANNELS_AT_ONCE, channels - first)
        part = room[:count].copy_(weight[first : first + count])
        own = scale[first : first + count].copy_(torch.linalg.vector_norm(part, torch.inf, 1))
        part.div_(own.clamp_(min=1e-20).div_(127.0)[:, None]).round_()
        whole = room[: -(-count // WIDTH) * WIDTH]
        whole[count:] = 0.0
        packed = kernel.pack(whole)
        panels[first // width :][: len(packed)] = packed
        heaviest = max(heaviest, int(part.abs_().sum(1).max()))  # whole numbers below 2^24: exact
    steps = float(min(MOST_STEPS, LARGEST_SUM // heaviest))
    made = {"panels": panels, "scale": scale, "steps": torch.tensor(steps), "channels": torch.tensor(channels)}
    return made if bias is None else made | {"bias": nn.functional.pad(bias, (0, padded - channels))}


class LinearFactory:
    """Makes linear layers of one precision. Keeps int8 weights in `folder` if one is given."""

    def __init__(self, precision: Precision, kernel: Kernel | None, folder: Path | None) -> None:
        self._precision = precision
        self._kernel = kernel
        self._cache = WeightCache(folder, kernel) if kernel and folder else None

    def linear(self, name: str, read: Weights, prologue: Prologue | None = None) -> LinearLayer:
        """Return the layer called `name`. Calls `read` unless its int8 weights are in the cache."""
        if kernel := self._kernel:

            def make() -> dict[str, Tensor]:
                return quantize(kernel, *read())

            return Int8Linear(kernel, self._cache.get(name, make) if self._cache else make(), prologue)
        sixteen = Float16Linear if has_fbgemm() else BFloat16Linear
        return Unfused((Float32Linear if self._precision is Precision.FLOAT32 else sixteen)(*read()), prologue)


def has_fbgemm() -> bool:
    return "fbgemm" in torch.backends.quantized.supported_engines
