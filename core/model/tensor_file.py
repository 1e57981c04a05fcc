"""Read a safetensors file and map its tensors into memory one by one.

The library maps the whole file twice for each tensor: a checkpoint of 4 GB took 15 GB of address space, which `ulimit
-v` counts. Mapped pages count as our memory, so each tensor has a mapping of its own that goes with it.
"""

import ctypes
import errno
import json
import math
import mmap
import os
import stat
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

LARGEST_HEADER_BYTES = 100_000_000  # as in the library
POPULATE_READ = 22  # MADV_POPULATE_READ of Linux 5.14, which Python has no name for
TYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
    "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip
NAMES = {dtype: name for name, dtype in TYPES.items()}
CACHE_LINE = 64


class ForeignTensor(ValueError):
    """Raised for a number type that the engine does not compute with."""


@dataclass(frozen=True, slots=True)
class TensorPlace:
    """The position of a tensor's bytes in its file, from the header. `kind` is its type in safetensors' words."""

    name: str
    kind: str
    shape: tuple[int, ...]
    start: int
    stop: int

    @property
    def dtype(self) -> torch.dtype:
        return TYPES[self.kind]


class TensorFile:
    """A safetensors file. Raises `ValueError` if it is not a whole one, and `OSError` if it cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with _open(path) as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if length > min(size - 8, LARGEST_HEADER_BYTES):
                raise ValueError(f"{path.name} is cut off, or not a safetensors file")
            header = _parse(file.read(length))
        metadata = header.pop("__metadata__", None)
        self.metadata: dict[str, Any] = metadata if isinstance(metadata, dict) else {}
        self.places = {name: _place(path, name, entry, 8 + length) for name, entry in header.items()}
        if max((place.stop for place in self.places.values()), default=8 + length) != size:
            raise ValueError(f"{path.name} is cut off, or longer than it says")

    @property
    def names(self) -> list[str]:
        return list(self.places)

    def map(self, name: str, fetch: bool = False) -> Tensor:
        """Return a tensor for reading only. With `fetch`, read all of it into memory now."""
        place = self.places[name]
        first = place.start
        page = first - first % mmap.ALLOCATIONGRANULARITY
        if place.stop == place.start:
            return torch.empty(place.shape, dtype=place.dtype)
        with _open(self.path) as file:
            pages = mmap.mmap(
                file.fileno(), first - page + place.stop - place.start, access=mmap.ACCESS_READ, offset=page
            )
        if fetch:
            read_now(pages)
        with warnings.catch_warnings():  # torch warns that the tensor is writable and this memory is not
            warnings.simplefilter("ignore")
            flat = torch.frombuffer(pages, dtype=place.dtype, count=math.prod(place.shape), offset=first - page)
        return flat.view(place.shape)


def write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file. Its data begin where a line of the cache does, and the largest tensor comes first.

    The library aligns to 8 bytes: lines of weights then lie across two lines of the cache, and AMX took twice as long.
    """
    ordered = sorted(tensors.items(), key=lambda item: -item[1].nbytes)
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    begin = 0
    for name, tensor in ordered:
        end = begin + tensor.nbytes
        header[name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
        begin = end
    written = json.dumps(header).encode()
    written += b" " * (-(8 + len(written)) % CACHE_LINE)
    with path.open("wb") as file:
        file.write(len(written).to_bytes(8, "little") + written)
        for _, tensor in ordered:
            file.write(tensor.contiguous().flatten().view(torch.uint8).numpy().data)


def _place(path: Path, name: str, entry: Any, begin: int) -> TensorPlace:
    """Return a tensor's place. `begin` is where the file's tensor data begins."""
    try:
        kind, shape = entry["dtype"], tuple(int(size) for size in entry["shape"])
        start, stop = (int(offset) for offset in entry["data_offsets"])
        known = TYPES.get(kind)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"{path.name}: {name} is half described: {error}") from error
    if known is None:
        raise ForeignTensor(f"{path.name}: {name} has numbers of the type {kind}")
    if min(shape, default=0) < 0 or start < 0:
        raise ValueError(f"{path.name}: {name} has a negative size")
    if stop - start != math.prod(shape) * known.itemsize:
        raise ValueError(f"{path.name}: {name} has another size than its shape says")
    return TensorPlace(name, kind, shape, begin + start, begin + stop)


def _parse(header: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(header)
    except RecursionError as error:
        raise ValueError("a header that is no safetensors header") from error
    if not isinstance(parsed, dict):
        raise ValueError("a header that is no safetensors header")
    return parsed


def _open(path: Path) -> BinaryIO:
    """Open a regular file. Refuses a pipe instead of waiting for it."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ValueError(f"{path.name} is not a file")
    return os.fdopen(handle, "rb")


def read_now(pages: mmap.mmap) -> None:
    """Read all pages into memory now, or raise `OSError` if the disk cannot.

    Without this, touching a page that the disk cannot read would end the process. Python's own `madvise` keeps its lock
    while the disk is read, so that the event loop would wait, too.
    """
    address = np.frombuffer(pages, np.uint8).ctypes.data
    if ctypes.CDLL(None, use_errno=True).madvise(ctypes.c_void_p(address), ctypes.c_size_t(len(pages)), POPULATE_READ):
        number = ctypes.get_errno()
        if number != errno.EINVAL:  # a kernel that does not know it
            raise OSError(number, os.strerror(number))
