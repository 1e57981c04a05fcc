"""Matrix products with float32, float16 or int8 weights. They are put into transformers' model from outside.

float16: FBGEMM multiplies float16 weights and sums in float32; on real weights the KL to float32 is 0.0000.
int8: weights have one scale per output channel. Activations get two rows: rounded to 63 steps either side, and the
rounding error, which costs nothing while memory is the limit and leaves only the weights' own rounding. 63 and not 127:
the AVX2 kernel adds pairs of products in 16 bits.
"""

import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from core.engine.config import Precision

STEPS = 63.0
ZERO = 64
PART = 16384  # output channels packed at once: packing the 150,000 of a vocabulary in one go takes three times as long
Weights = Callable[[], tuple[Tensor, Tensor | None]]  # reads (out, in) and maybe (out,), in float32


class Linear(nn.Module):
    """(rows, in) -> (rows, out), float32 in and out."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weight, self.bias = weight, bias

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight, self.bias)


class Float16Linear(nn.Module):
    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.packed = torch.ops.quantized.linear_prepack_fp16(weight, bias)

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
    def __init__(self, weight: Tensor, scale: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        starts = range(0, len(weight), PART)
        self.packed = [_pack(weight[n : n + PART], scale[n : n + PART]) for n in starts]
        self.bias = bias

    def forward(self, x: Tensor) -> Tensor:
        rows = len(x)
        scale = x.abs().amax(-1, keepdim=True).clamp_(min=1e-20).div_(STEPS)  # (rows, 1)
        pair = x.new_empty(2 * rows, x.shape[1])
        whole, rest = pair[:rows], pair[rows:]
        torch.div(x, scale, out=rest)
        torch.round(rest, out=whole)
        rest.sub_(whole).mul_(2 * STEPS)  # the error is at most half a step
        multiply = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32
        parts = [multiply(pair, 1.0, ZERO, packed) for packed in self.packed]  # (2 rows, at most PART) each
        both = parts[0] if len(parts) == 1 else torch.cat(parts, 1)
        y: Tensor = both[:rows].add_(both[rows:], alpha=0.5 / STEPS).mul_(scale)  # (rows, out)
        return y if self.bias is None else y.add_(self.bias)


def _pack(weight: Tensor, scale: Tensor) -> Any:
    zero = torch.zeros(len(scale), dtype=torch.long)
    with warnings.catch_warnings():  # deprecated in favour of torchao, which has no such kernel; torch is pinned
        warnings.simplefilter("ignore")
        quantized = torch._make_per_channel_quantized_tensor(weight, scale.double(), zero, 0)
    return torch.ops.quantized.linear_prepack(quantized, None)


def quantize(weight: Tensor) -> tuple[Tensor, Tensor]:
    """(out, in) float32 -> int8 of the same shape and a float32 scale per row."""
    scale = weight.abs().amax(1).clamp_(min=1e-20).div_(127.0)  # (out,)
    return (weight / scale[:, None]).round_().to(torch.int8), scale


class Foundry:
    """Makes linear layers of one precision. int8 weights are kept in `folder`, one file each, from then on."""

    def __init__(self, precision: Precision, folder: Path | None) -> None:
        self.precision = precision
        self.folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def linear(self, name: str, read: Weights) -> nn.Module:
        """`read` is called unless the weights lie in the folder already."""
        if self.precision is Precision.INT8 and has_fbgemm():
            weight, scale, bias = self.int8(name, read)
            return Int8Linear(weight, scale, bias)
        weight, bias = read()
        if self.precision is Precision.FLOAT32:
            return Linear(weight, bias)
        return Float16Linear(weight, bias) if has_fbgemm() else BFloat16Linear(weight, bias)

    def int8(self, name: str, read: Weights) -> tuple[Tensor, Tensor, Tensor | None]:
        """(out, in) int8, (out,) scale, and the bias."""
        path = self.folder and self.folder / f"{name}.safetensors"
        if path is not None and path.is_file():
            try:
                kept = load_file(path)
                return kept["weight"], kept["scale"], kept.get("bias")
            except (SafetensorError, KeyError, OSError):
                path.unlink(missing_ok=True)  # half a file, or another's
        weight, bias = read()
        quantized, scale = quantize(weight)
        if path is not None:
            tensors = {"weight": quantized, "scale": scale} | ({} if bias is None else {"bias": bias})
            _write(path, tensors)
        return quantized, scale, bias


def instructions() -> str:
    """The processor's best vector instructions that torch uses: AVX2, AVX512, DEFAULT …"""
    return str(torch.backends.cpu.get_cpu_capability())


def has_fbgemm() -> bool:
    return "fbgemm" in torch.backends.quantized.supported_engines


def _write(path: Path, tensors: dict[str, Tensor]) -> None:
    """Whole or not at all: a crash leaves the old state; of two processes the last one wins, with the same content."""
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    os.close(handle)
    try:
        save_file(tensors, name)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
