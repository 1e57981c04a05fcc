"""Multiply matrices and compute attention with the product's own C code, native/*.c, called through ctypes.

A wheel contains a compiled library for each instruction set. Where none of them fits, as in a checkout, the code is
compiled once and loaded from the cache folder. A library is used only after its results agreed with torch's.
"""

import ctypes
import hashlib
import importlib.util
import logging
import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from core import cache_folder

log = logging.getLogger(__name__)
NATIVE = Path(__file__).parent / "native"
SOURCES = sorted(NATIVE.glob("*.[ch]"))
PANEL_CHANNELS = 16  # WIDTH in the source; the inner dimension must be a multiple of it too
QUERIES_AT_ONCE = 2  # TOGETHER in the source
FLAGS = ["-O2", "-fPIC", "-shared"]
TUNING = {"x86_64": "-march=native", "aarch64": "-mcpu=native"}
NEEDED_FEATURES = {  # of the processor, as /proc/cpuinfo names them
    "x86_64": frozenset({"avx2", "fma", "f16c"}),
    "aarch64": frozenset({"asimd"}),
}
BUILT = {"x86_64": "kernel_avx2.so", "aarch64": "kernel_neon.so"}  # in a wheel; see setup.py
WRITTEN_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
P, N = ctypes.c_void_p, ctypes.c_int64
_loaded: dict[str, "Kernel"] = {}  # by `_key`: a library is loaded once per process, whatever its folder


class Unavailable(Exception):
    """Says why int8 weights cannot be multiplied on this machine, and what to install."""


class Kernel:
    """A loaded library. Raises `OSError` when the file is damaged or does not fit this machine."""

    def __init__(self, library: Path) -> None:
        loaded = ctypes.CDLL(str(library))
        self._multiply, self._attend = loaded.int8_linear, loaded.attend
        self._multiply.argtypes = [P] * 7 + [N] * 3 + [ctypes.c_float, ctypes.c_int]
        self._attend.argtypes = [P] * 4 + [N] * 6 + [ctypes.c_int]
        self._checksum = loaded.checksum
        self._checksum.argtypes, self._checksum.restype = [P, N, ctypes.c_uint64], ctypes.c_uint64

    def multiply(self, x: Tensor, panels: Tensor, scale: Tensor, bias: Tensor | None, steps: float) -> Tensor:
        """Multiply x (rows, k) float32 with panels (channels / 16, k / 2, 16, 2) int8 to (rows, channels) float32.

        Raises `ValueError` when k or the number of channels is no multiple of 16.
        """
        x = x.contiguous()
        rows, k = x.shape
        y = x.new_empty(rows, len(scale))
        rounded, row_scale = x.new_empty(rows, k, dtype=torch.int16), x.new_empty(rows)
        tensors = (x, panels, scale, bias, y, rounded, row_scale)
        pointers = [None if tensor is None else tensor.data_ptr() for tensor in tensors]
        if self._multiply(*pointers, rows, k, len(scale), steps, torch.get_num_threads()):
            raise ValueError(f"the kernel cannot multiply ({rows}, {k}) with {len(scale)} channels")
        return y

    def attend(self, queries: Tensor, seen: Tensor, longest: int, layer: int, kv_heads: int) -> Tensor:
        """Let queries (rows, heads, dim) attend to the keys they see, and return the same shape.

        Each row of `seen` (rows, 3) holds the address of its keys, how many keys have room there, and how many it sees.
        Raises `ValueError` when dim is no multiple of 8, the heads do not divide evenly, or a row sees more keys than
        exist.
        """
        queries = queries.contiguous()
        rows, heads, dim = queries.shape
        stride, threads = -(-longest // 8) * 8, torch.get_num_threads()
        y, scores = torch.empty_like(queries), queries.new_empty(threads, QUERIES_AT_ONCE, stride)
        pointers = [tensor.data_ptr() for tensor in (queries, seen, y, scores)]
        if self._attend(*pointers, rows, heads, kv_heads, dim, layer, stride, threads):
            raise ValueError(f"the kernel cannot attend with {heads} heads of {dim} over {kv_heads} heads")
        return y

    def checksum(self, content: Tensor | bytes, seed: int = 0) -> int:
        """Return the XXH64 of `content`. Pass the checksum of earlier content as `seed` to cover both."""
        if isinstance(content, bytes):
            return int(self._checksum(content, len(content), seed))
        content = content.contiguous()
        return int(self._checksum(content.data_ptr(), content.nbytes, seed))

    def check(self) -> None:
        """Compare a small product and a small attention with torch's. Raises `Unavailable` when they differ."""
        generator = torch.Generator().manual_seed(1)
        x = torch.randn(7, 32, generator=generator)
        weights = torch.randint(-127, 128, (32, 32), dtype=torch.int8, generator=generator)  # (channels, k)
        panels = weights.view(2, 16, 16, 2).permute(0, 2, 1, 3).contiguous()
        product = self.multiply(x, panels, torch.ones(32), None, 8191.0)
        keys = torch.randn(2, 2, 8, 16, generator=generator).half()  # keys and values (kv_heads, capacity, dim)
        queries = torch.randn(1, 4, 16, generator=generator)
        attended = self.attend(queries, torch.tensor([[keys.data_ptr(), 8, 5]]), 5, 0, 2)
        ours, values = keys.float().repeat_interleave(2, 1)[:, :, :5]  # (heads, seen, dim) each
        right = torch.nn.functional.scaled_dot_product_attention(queries[0, :, None], ours, values)[:, 0]
        if not torch.allclose(product, x @ weights.float().T, atol=0.5) or not torch.allclose(
            attended[0], right, atol=1e-4
        ):
            raise Unavailable("the compiled kernel and torch compute different results on this processor")


def instructions() -> str:
    """Return the processor's best vector instructions that torch knows: AVX512, AVX2, or DEFAULT below that."""
    return str(torch.backends.cpu.get_cpu_capability())


def prepare() -> None:
    """Find out, without compiling anything, whether `load` can work. Raises `Unavailable`."""
    if _built() is None:
        _find_compiler()


def load(folder: Path) -> Kernel:
    """Return the kernel: the wheel's, or one that is compiled into `folder`. Raises `Unavailable`."""
    library = _built()
    if library is not None:
        return _open(str(library), library)
    compiler = _find_compiler()
    key = _key(compiler)
    if key in _loaded:
        return _loaded[key]
    try:
        _keep_to_ourselves(folder)
        library = _find(folder, key) or _compile(compiler, folder, key)
    except OSError as error:  # no room, no right to write
        raise Unavailable(f"the kernel cannot be compiled: {error}") from error
    try:
        return _open(key, library)
    except Unavailable:
        cache_folder.remove(library)  # the next start compiles it again
        raise


def _find(folder: Path, key: str) -> Path | None:
    """Return the library that an earlier start compiled, if it is undamaged and belongs to us.

    Its code runs with all our rights. A damaged library could compute garbage, or crash.
    """
    for path in folder.glob(f"{key}-*.so"):
        if not _is_ours(path):
            log.warning("%s is not ours, or others may write it: compiling it again", path)
        elif path.stem == f"{key}-{_digest(path)}":
            return path
        else:
            log.warning("%s is damaged, compiling it again", path.name)
        cache_folder.remove(path)
    return None


def _is_ours(path: Path) -> bool:
    """Return whether this is a regular file that we own and that no other user may write."""
    found = path.lstat()
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & WRITTEN_BY_OTHERS


def _keep_to_ourselves(folder: Path) -> None:
    """Forbid other users to put files into the folder or to replace ours. Raises `Unavailable` and `OSError`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_mode & WRITTEN_BY_OTHERS:
        if found.st_uid != os.geteuid():
            raise Unavailable(f"others may write into {folder}, and it is not ours: chown it, or set another `cache`")
        folder.chmod(stat.S_IMODE(found.st_mode) & ~WRITTEN_BY_OTHERS)


def _open(key: str, library: Path) -> Kernel:
    try:
        if key not in _loaded:
            kernel = Kernel(library)
            kernel.check()
            _loaded[key] = kernel
        return _loaded[key]
    except OSError as error:  # a folder whose files may not be executed, a torch without OpenMP
        raise Unavailable(f"the compiled kernel cannot be used: {error}") from error


def _built() -> Path | None:
    """Return the library that came with the wheel, if there is one. Raises `Unavailable` where no kernel can work."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in NEEDED_FEATURES:
        raise Unavailable(f"int8 weights need Linux on x86-64 or 64-bit ARM, and this is {sys.platform} on {machine}")
    if missing := NEEDED_FEATURES[machine] - _features():
        raise Unavailable(f"int8 weights need a processor with {', '.join(sorted(missing))}")
    library = NATIVE / BUILT[machine]
    return library if library.is_file() else None


def _find_compiler() -> list[str]:
    """Return the command of a C compiler. Raises `Unavailable`."""
    for name in ("cc", "gcc", "clang"):
        if path := shutil.which(name):
            return [path]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    raise Unavailable("int8 weights need a C compiler once: apt-get install gcc libc6-dev, or pip install ziglang")


def _compile(compiler: Sequence[str], folder: Path, key: str) -> Path:
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        made = Path(temporary) / "kernel.so"
        sources = [str(source) for source in SOURCES if source.suffix == ".c"]
        command = [*compiler, *FLAGS, TUNING[platform.machine()], *sources, "-o", str(made)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            reason = done.stderr.decode(errors="replace").strip()
            raise Unavailable(f"{compiler[0]} cannot compile core/model/native (libc6-dev must fit): {reason}")
        made.chmod(0o600)  # independent of the umask; a library is mapped, not executed
        return cache_folder.replace(made, folder / f"{key}-{_digest(made)}.so")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _key(compiler: Sequence[str]) -> str:
    """Return a digest of all that a compiled library depends on: sources, compiler, flags and processor."""
    version = subprocess.run([*compiler, "--version"], capture_output=True, check=False).stdout
    sources = b"".join(source.read_bytes() for source in SOURCES)
    features = " ".join(sorted(_features())).encode()
    return hashlib.sha256(sources + version + features + " ".join(FLAGS).encode()).hexdigest()[:16]


def _features() -> frozenset[str]:
    """Return the processor's instruction sets, as Linux names them."""
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        name, _, words = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return frozenset(words.split())
    return frozenset()
