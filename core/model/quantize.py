"""Matrix products with float32, float16 or int8 weights. They are put into transformers' model from outside.

float16: FBGEMM multiplies float16 weights and sums in float32; on real weights the KL to float32 is 0.0000.
int8: weights have one scale per output channel; activations are rounded to 13-16 bits, so that nothing is lost but the
weights' own rounding.
"""

import logging
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from core.errors import OperatorError
from core.model.kernel import WIDTH, Kernel
from core.model.precision import Precision

log = logging.getLogger(__name__)
PART = 8192  # channels quantized at once: a vocabulary of 150,000 in float32 would take more than a gigabyte
LARGEST_SUM = 2**31 - 1
PAGE = 4096  # bytes
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
            self.packed = torch.ops.quantized.linear_prepack_fp16(weight.float(), bias)

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
    panels, scales, heaviest = [], [], 1
    for part in torch.split(weight, PART):
        part = part.float()
        scale = part.abs().amax(1).clamp_(min=1e-20).div_(127.0)  # (channels,)
        rounded = (part / scale[:, None]).round_().to(torch.int8)
        heaviest = max(heaviest, int(rounded.abs().sum(1, dtype=torch.int32).max()))
        rounded = _pad(rounded)
        panels.append(rounded.view(-1, WIDTH, rounded.shape[1] // 2, 2).transpose(1, 2))  # (panels, in / 2, 16, 2)
        scales.append(scale)
    steps = float(min(2**15 - 1, LARGEST_SUM // heaviest))
    made = {"panels": torch.cat(panels), "scale": _pad(torch.cat(scales)), "steps": torch.tensor(steps)}
    made["channels"] = torch.tensor(len(weight))
    return made if bias is None else made | {"bias": _pad(bias)}


def _pad(channels: Tensor) -> Tensor:
    """With zeros, up to whole panels."""
    missing = -len(channels) % WIDTH
    return torch.cat([channels, channels.new_zeros(missing, *channels.shape[1:])]) if missing else channels


class Foundry:
    """Makes linear layers of one precision. int8 weights are kept in `folder`, one file each, and mapped from there."""

    def __init__(self, precision: Precision, kernel: Kernel | None, folder: Path | None) -> None:
        self._precision = precision
        self._kernel = kernel
        self._folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def linear(self, name: str, read: Weights) -> nn.Module:
        """`read` is called unless the weights lie in the folder already."""
        if self._kernel is not None:
            return Int8Linear(self._kernel, self._int8(name, read))
        weight, bias = read()
        if self._precision is Precision.FLOAT32:
            return Linear(weight, bias)
        return Float16Linear(weight, bias) if has_fbgemm() else BFloat16Linear(weight, bias)

    def _int8(self, name: str, read: Weights) -> dict[str, Tensor]:
        if self._folder is None:
            return quantize(*read())
        path = self._folder / f"{name}.safetensors"
        try:
            return _read(path)
        except (SafetensorError, KeyError, OSError):  # not there, half a file, or another version's
            made = quantize(*read())
        try:
            _write(path, made)
            return _read(path)
        except (SafetensorError, OSError) as error:  # a full disk
            log.warning("int8 weights are not kept, so the next start takes as long as this one: %s", error)
            self._folder = None
            return made


def has_fbgemm() -> bool:
    return "fbgemm" in torch.backends.quantized.supported_engines


def _read(path: Path) -> dict[str, Tensor]:
    """Mapped, not copied: the pages stay in the system's cache from one start to the next."""
    kept = load_file(path)
    if kept["steps"].numel() != 1 or kept["panels"].numel() % kept["scale"].numel():
        raise KeyError("panels")
    kept["panels"].view(-1)[::PAGE].sum()  # touched: ready means that nothing is left to read, and memory is counted
    return kept


def _write(path: Path, tensors: dict[str, Tensor]) -> None:
    """Whole or not at all: a crash leaves the old state; of two processes the last one wins, with the same content."""
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    os.close(handle)
    try:
        save_file(tensors, name)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
