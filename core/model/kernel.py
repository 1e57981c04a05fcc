"""Multiply matrices and compute attention with the product's own C code, native/*.c, called through ctypes.

A wheel contains a compiled library for each instruction set. Where none of them fits, as in a checkout, the code is
compiled once and loaded from the cache folder. A library is used only after its results agreed with torch's.
"""

import ctypes
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from core import cache_folder
from core.model import openmp
from core.model.compiler import Compiler
from core.model.instruction_set import InstructionSet, Unavailable, available
from core.model.prologue import GELU, Prologue, RMSNorm, SwiGLU
from core.model.rotary import Rotation

log = logging.getLogger(__name__)
WIDTH = 16  # WIDTH in the source: keys of a panel; inputs and channels of a product come in multiples of it
MOST_STEPS = 127 * 256 + 127  # MOST_STEPS in the source
QUERIES_AT_ONCE = 2  # TOGETHER in the source
MOST_ROWS = 12  # MOST_ROWS in the source
ROWS_TO_CHECK = (1, 2, 7, 30)  # whole and broken tiles of every instruction set
P, N, F = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float
Case = tuple[Tensor, Tensor, float]  # what the kernel computes, what is right, and how far apart they may be
_loaded: dict[InstructionSet, "Kernel"] = {}  # once per process, whatever the folder


class Product(ctypes.Structure):
    """A linear layer with int8 weights, as native/linear.c reads it: what it points to lives as long as it does."""

    _fields_ = (
        *[(name, P) for name in ("panels", "scale", "bias", "weight")],
        *[(name, N) for name in ("k", "channels", "prologue")],
        *[(name, F) for name in ("steps", "eps")],
    )

    def __init__(
        self, panels: Tensor, scale: Tensor, bias: Tensor | None, steps: float, prologue: Prologue | None = None
    ) -> None:
        """Take panels of weights as `Kernel.pack` makes them, and scale and bias (channels,)."""
        weight, eps = (prologue.weight, prologue.eps) if isinstance(prologue, RMSNorm) else (None, 0.0)
        self.tensors = (panels, scale, bias, weight)
        pointers = [None if tensor is None else tensor.data_ptr() for tensor in self.tensors]
        inner = panels.shape[1] * panels.shape[3]
        self.width = inner * (prologue.width if prologue else 1)
        super().__init__(*pointers, inner, len(scale), prologue.kind if prologue else 0, steps, eps)


class Kernel:
    """A loaded library. Raises `OSError` when the file is damaged or does not fit this machine."""

    def __init__(self, library: Path, instructions: InstructionSet) -> None:
        self.instructions = instructions
        openmp.share()
        loaded = ctypes.CDLL(str(library))
        channels, inputs = (ctypes.c_int32 * 2).in_dll(loaded, "panel")
        self.panel = (channels, inputs)  # how this instruction set reads weights
        if loaded.permit():
            raise PermissionError(f"the system does not let programs use {instructions.name}")
        self._multiply, self._rotate, self._attend = loaded.int8_linear, loaded.rotate, loaded.attend
        self._multiply.argtypes = [P] * 4 + [N, ctypes.c_int, ctypes.c_int]
        self._rotate.argtypes = [P] * 5 + [N] * 5 + [F, ctypes.c_int]
        self._attend.argtypes = [P] * 4 + [N] * 7 + [ctypes.c_int]
        self._attend_fully = loaded.full_attention
        self._attend_fully.argtypes = [P] * 5 + [N] * 4 + [ctypes.c_int]
        self._checksum = loaded.checksum
        self._threads = threading.local()  # two engines of one process share a kernel
        self._checksum.argtypes, self._checksum.restype = [P, N, ctypes.c_uint64], ctypes.c_uint64

    def pack(self, weights: Tensor) -> Tensor:
        """Return weights (channels, k) as panels (panels, k / inputs, channels of a panel, inputs)."""
        channels, inputs = self.panel
        return weights.view(-1, channels, weights.shape[1] // inputs, inputs).transpose(1, 2)

    def multiply(self, x: Tensor, product: Product, residual: Tensor | None = None) -> Tensor:
        """Multiply x (rows, width) float32 to (rows, channels) float32, or add that to `residual` and return this.

        Raises `ValueError` when shapes do not fit, or when k or the number of channels is no multiple of 16.
        """
        x = x.contiguous()
        rows, width = x.shape
        k, channels, threads = product.k, product.channels, torch.get_num_threads()
        y = x.new_empty(rows, channels) if residual is None else residual
        room = self._room((rows + MOST_ROWS - 1) * k // 2 + rows + threads * k)  # rows up to a whole block
        pointers = [tensor.data_ptr() for tensor in (x, y, room)]
        fits = width == product.width and y.shape == (rows, channels) and y.is_contiguous()
        if not fits or self._multiply(ctypes.addressof(product), *pointers, rows, residual is not None, threads):
            raise ValueError(f"the kernel cannot multiply ({rows}, {width}) with {channels} channels")
        return y

    def rotate(self, x: Tensor, norm: RMSNorm, rotation: Rotation, seen: Tensor, layer: int, kv_heads: int) -> None:
        """Normalize and rotate the queries and keys of x (rows, heads, dim) in place, and store keys and values.

        The last heads are those of the values, before them are the keys'. `seen` is as `attend` has it: a row goes
        where it sees itself, as float16. Raises `ValueError` when dim is no multiple of 16, or where there is no room.
        """
        rows, heads, dim = x.shape
        pointers = [tensor.data_ptr() for tensor in (x, norm.weight, rotation.cos, rotation.sin, seen)]
        sizes = (rows, heads - 2 * kv_heads, kv_heads, dim, layer)
        if not x.is_contiguous() or self._rotate(*pointers, *sizes, norm.eps, torch.get_num_threads()):
            raise ValueError(f"the kernel cannot rotate {heads} heads of {dim}")

    def attend(self, queries: Tensor, seen: Tensor, longest: int, layer: int, kv_heads: int) -> Tensor:
        """Let queries (rows, heads, dim) attend to the keys they see, and return the same shape.

        Each row of `seen` (rows, 3) holds the address of its keys, how many keys have room there, and how many it sees.
        Raises `ValueError` when dim is no multiple of 8, the heads do not divide evenly, or a row sees more keys than
        exist.
        """
        rows, heads, dim = queries.shape
        if queries.stride()[1:] != (dim, 1):
            queries = queries.contiguous()
        stride, threads = -(-longest // 8) * 8, torch.get_num_threads()
        y, scores = queries.new_empty(rows, heads, dim), self._room(threads * QUERIES_AT_ONCE * stride)
        pointers = [tensor.data_ptr() for tensor in (queries, seen, y, scores)]
        if self._attend(*pointers, rows, queries.stride(0), heads, kv_heads, dim, layer, stride, threads):
            raise ValueError(f"the kernel cannot attend with {heads} heads of {dim} over {kv_heads} heads")
        return y

    def attend_fully(self, queries: Tensor, keys: Tensor, values: Tensor, length: int) -> Tensor:
        """Let queries (rows, heads, dim) attend to all `length` keys, and return the same shape. All is float32.

        Keys are (heads, panels, dim, 16), values (heads, dim / 16, 16 panels, 16); see native/full_attention.c. Raises
        `ValueError` when dim is no multiple of 16.
        """
        queries = queries.contiguous()
        rows, heads, dim = queries.shape
        threads = torch.get_num_threads()
        y, room = torch.empty_like(queries), self._room(threads * MOST_ROWS * (2 * dim + keys.shape[1] * WIDTH))
        pointers = [tensor.data_ptr() for tensor in (queries, keys, values, y, room)]
        if self._attend_fully(*pointers, rows, heads, dim, length, threads):
            raise ValueError(f"the kernel cannot attend to {length} keys with heads of {dim}")
        return y

    def _room(self, size: int) -> Tensor:
        """Return room for so many float32 numbers during one call. What this thread's largest call needed stays."""
        room: Tensor | None = getattr(self._threads, "room", None)
        if room is None or len(room) < size:
            room = self._threads.room = torch.empty(size)
        return room

    def checksum(self, content: Tensor | bytes, seed: int = 0) -> int:
        """Return the XXH64 of `content`. Pass the checksum of earlier content as `seed` to cover both."""
        if isinstance(content, bytes):
            return int(self._checksum(content, len(content), seed))
        content = content.contiguous()
        return int(self._checksum(content.data_ptr(), content.nbytes, seed))

    def check(self) -> None:
        """Compare small cases with torch's, products bit by bit. Raises `Unavailable` when they differ."""
        random = torch.Generator().manual_seed(1)
        cases = [*self._products(random), *self._rotations(random), *self._attentions(random)]
        if not all(torch.allclose(ours, right, rtol=0, atol=tolerance) for ours, right, tolerance in cases):
            raise Unavailable("the compiled kernel and torch compute different results on this processor")

    def _products(self, random: torch.Generator) -> Iterator[Case]:
        weights = torch.randint(-127, 128, (32, 48), dtype=torch.int8, generator=random)  # (channels, k)
        panels = self.pack(weights).contiguous()
        for rows in ROWS_TO_CHECK:
            x = (8000 * torch.randn(rows, 48, generator=random)).clamp(-MOST_STEPS, MOST_STEPS)
            x[:, 0] = MOST_STEPS  # so that a step is 1, and whole numbers come out
            exact = x.round().long() @ weights.long().T
            yield self.multiply(x, Product(panels, torch.ones(32), None, MOST_STEPS)), exact.float(), 0.0
        scale, ones = torch.full((32,), 1e-3), torch.ones(3, 32)
        for prologue in (RMSNorm(torch.rand(48, generator=random), 1e-6), GELU(), SwiGLU()):
            x = torch.randn(3, 48 * prologue.width, generator=random)
            right = ones + prologue(x) @ (weights.float() * scale[:, None]).T
            yield self.multiply(x, Product(panels, scale, None, MOST_STEPS, prologue), ones.clone()), right, 1e-4

    def _rotations(self, random: torch.Generator) -> Iterator[Case]:
        heads = torch.randn(1, 4, 16, generator=random)  # two of queries, one of keys and one of values
        norm, rotation = RMSNorm(torch.ones(3, 16), 1e-6), Rotation.of(torch.randn(1, 8, generator=random))
        kept, right = torch.zeros(2, 8, 16, dtype=torch.float16), rotation.apply(norm(heads[:, :3]))
        self.rotate(heads, norm, rotation, torch.tensor([[kept.data_ptr(), 8, 5]]), 0, 1)
        yield heads[:, :3], right, 1e-4
        yield kept[:, 4].float(), torch.cat([right[0, 2:], heads[0, 3:]]), 2e-3  # in steps of float16

    def _attentions(self, random: torch.Generator) -> Iterator[Case]:
        attend = torch.nn.functional.scaled_dot_product_attention
        keys = torch.randn(2, 2, 8, 16, generator=random).half()  # keys and values (kv_heads, capacity, dim)
        queries = torch.randn(1, 4, 16, generator=random)
        attended = self.attend(queries, torch.tensor([[keys.data_ptr(), 8, 5]]), 5, 0, 2)
        ours, values = keys.float().repeat_interleave(2, 1)[:, :, :5]  # (heads, seen, dim) each
        yield attended[0], attend(queries[0, :, None], ours, values)[:, 0], 1e-4
        q, k, v = torch.randn(3, 16, 1, 16, generator=random)  # (rows, heads, dim) each
        fully = self.attend_fully(q, k.permute(1, 2, 0)[None].contiguous(), v.transpose(0, 1)[None].contiguous(), 16)
        yield fully, attend(*(each.transpose(0, 1) for each in (q, k, v))).transpose(0, 1), 1e-4


def prepare() -> InstructionSet:
    """Return the instruction set that `load` tries first, without compiling anything. Raises `Unavailable`."""
    choices = available()
    built = [each for each in choices if each.built.is_file()]
    if not built:
        Compiler()
    return (built or choices)[0]


def load(folder: Path) -> Kernel:
    """Return the fastest kernel that works: the wheel's, or one compiled into `folder`. Raises `Unavailable`."""
    choices = available()
    built = [each for each in choices if each.built.is_file()]
    compiler = None if built else Compiler()
    *better, last = built or choices
    for each in better:
        try:
            return _load(each, compiler, folder)
        except Unavailable as reason:
            log.warning("%s is not used, and int8 weights are multiplied more slowly: %s", each.name, reason)
    return _load(last, compiler, folder)


def _load(instructions: InstructionSet, compiler: Compiler | None, folder: Path) -> Kernel:
    if instructions in _loaded:
        return _loaded[instructions]
    library = compiler.library(folder, instructions) if compiler else instructions.built
    try:
        kernel = Kernel(library, instructions)
        kernel.check()
    except (OSError, Unavailable) as error:
        if compiler and not isinstance(error, PermissionError):
            cache_folder.remove(library)  # the next start compiles it again
        if isinstance(error, OSError):  # a folder whose files may not be executed, a torch without OpenMP
            raise Unavailable(f"the compiled kernel cannot be used: {error}") from error
        raise
    _loaded[instructions] = kernel
    return kernel
