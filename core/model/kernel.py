"""Our own products and attention, native/*.c: compiled for this machine once, then loaded from the cache folder."""

import ctypes
import hashlib
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch
from torch import Tensor

SOURCES = sorted((Path(__file__).parent / "native").glob("*.[ch]"))
WIDTH = 16  # channels of a panel, as in the source; the inner dimension must be a multiple of it too
TOGETHER = 2  # queries that attend at once, as in the source
FLAGS = ["-O2", "-fno-tree-pre", "-march=native", "-fPIC", "-shared"]  # with PRE, gcc keeps running sums in memory
COMPILERS = ("cc", "gcc", "clang")
P, N = ctypes.c_void_p, ctypes.c_int64
_loaded: dict[str, "Kernel"] = {}


class Unavailable(Exception):
    """Says why, and what to install."""


class Kernel:
    def __init__(self, library: Path) -> None:
        loaded = ctypes.CDLL(str(library))
        self._multiply, self._attend = loaded.int8_linear, loaded.attend
        self._multiply.argtypes = [P] * 7 + [N] * 3 + [ctypes.c_float, ctypes.c_int]
        self._attend.argtypes = [P] * 4 + [N] * 6 + [ctypes.c_int]

    def multiply(self, x: Tensor, panels: Tensor, scale: Tensor, bias: Tensor | None, steps: float) -> Tensor:
        """x (rows, k) float32, panels (channels / 16, k / 2, 16, 2) int8 -> (rows, channels) float32"""
        x = x.contiguous()
        rows, k = x.shape
        y = x.new_empty(rows, len(scale))
        rounded, row_scale = x.new_empty(rows, k, dtype=torch.int16), x.new_empty(rows)
        tensors = (x, panels, scale, bias, y, rounded, row_scale)
        pointers = [None if tensor is None else tensor.data_ptr() for tensor in tensors]
        self._multiply(*pointers, rows, k, len(scale), steps, torch.get_num_threads())
        return y

    def attend(self, queries: Tensor, seen: Tensor, longest: int, layer: int, kv_heads: int) -> Tensor:
        """queries (rows, heads, dim) -> the same shape; `seen` (rows, 3) says where whose keys are and how many."""
        queries = queries.contiguous()
        rows, heads, dim = queries.shape
        stride, threads = -(-longest // 8) * 8, torch.get_num_threads()
        y, scores = torch.empty_like(queries), queries.new_empty(threads, TOGETHER, stride)
        pointers = [tensor.data_ptr() for tensor in (queries, seen, y, scores)]
        self._attend(*pointers, rows, heads, kv_heads, dim, layer, stride, threads)
        return y


def instructions() -> str:
    """The processor's best vector instructions that torch knows: AVX512, AVX2, or DEFAULT below that."""
    return str(torch.backends.cpu.get_cpu_capability())


def find_compiler() -> str:
    """Raises `Unavailable` where int8 weights cannot be multiplied."""
    if not instructions().startswith("AVX"):
        raise Unavailable("int8 weights need a processor with AVX2")
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise Unavailable("int8 weights need a C compiler once: install gcc or clang (apt-get install gcc libc6-dev)")
    return compiler


def load(folder: Path) -> Kernel:
    """From `folder`, where it is compiled into when it is not there; once per process. Raises `Unavailable`."""
    compiler = find_compiler()
    version = subprocess.run([compiler, "--version"], capture_output=True, check=False).stdout
    sources = b"".join(source.read_bytes() for source in SOURCES)
    key = hashlib.sha256(sources + version + _processor() + " ".join(FLAGS).encode()).hexdigest()[:16]
    library = folder / f"{key}.so"
    try:
        if key not in _loaded:
            if not library.is_file():
                _compile(compiler, library)
            _loaded[key] = Kernel(library)
        return _loaded[key]
    except OSError as error:  # no room, a folder whose files may not be executed, a torch without OpenMP
        library.unlink(missing_ok=True)  # or a damaged file: the next start compiles anew
        raise Unavailable(f"the compiled kernel cannot be used: {error}") from error


def _compile(compiler: str, library: Path) -> None:
    library.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        made = Path(folder) / library.name
        sources = [str(source) for source in SOURCES if source.suffix == ".c"]
        done = subprocess.run([compiler, *FLAGS, *sources, "-o", str(made)], capture_output=True, check=False)
        if done.returncode:
            reason = done.stderr.decode(errors="replace").strip()
            raise Unavailable(f"{compiler} cannot compile core/model/native (gcc and libc6-dev must fit): {reason}")
        made.replace(library)  # whole or not at all; of two processes the last one wins, with the same content


def _processor() -> bytes:
    """What -march=native depends on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return next((line for line in lines if line.startswith("flags")), platform.processor()).encode()
