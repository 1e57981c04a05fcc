"""Keep int8 weights in a folder: they are made once and mapped from there, so that a second start takes seconds.

Each file carries a checksum, which is checked while its pages are read: damaged weights would answer garbage.
"""

import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from torch import Tensor

from core import cache_folder, hardware
from core.model.kernel import Kernel
from core.model.tensor_file import TensorFile, write

log = logging.getLogger(__name__)
FINISHED, UNFINISHED = ".safetensors", ".tmp"
UNFINISHED_FILE_SECONDS = 3600.0  # a younger unfinished file may be another process's
FILE_FORMAT = 4  # raise it when the files' tensors change
Tensors = dict[str, Tensor]


class WeightCache:
    """A cache of int8 weights with one file per layer in `folder`."""

    def __init__(self, folder: Path, kernel: Kernel) -> None:
        self._folder = folder
        self._kernel = kernel
        self._writable = True
        for path in folder.glob(f"*{UNFINISHED}"):  # left by killed processes, each as large as a layer
            with suppress(OSError):
                if path.lstat().st_mtime < time.time() - UNFINISHED_FILE_SECONDS:
                    cache_folder.remove(path)
        readers = ThreadPoolExecutor(2, thread_name_prefix="weights")  # mapping and checksums hold no lock of Python's
        self._ahead = {path: readers.submit(self._read, path) for path in sorted(folder.glob(f"*{FINISHED}"))}
        readers.shutdown(wait=False)

    def get(self, name: str, make: Callable[[], Tensors]) -> Tensors:
        """Return the layer's tensors, mapped. Calls `make` if no undamaged file has them."""
        path = self._folder / f"{name}{FINISHED}"
        if os.path.lexists(path):
            try:
                ahead = self._ahead.pop(path, None)
                return ahead.result() if ahead else self._read(path)
            except (ValueError, OSError) as error:
                if hardware.is_out_of_memory(error):
                    raise
                log.warning("making int8 weights again: %s: %s", path.name, error)
        made = make()
        if not self._writable:
            return made
        try:
            self._write(path, made)
            return self._read(path)
        except (ValueError, OSError) as error:  # a full disk
            log.warning("int8 weights cannot be kept, so the next start takes as long as this one: %s", error)
            self._writable = False
            return made

    def _read(self, path: Path) -> Tensors:
        """Read all tensors of a file into memory now, so that its pages are counted as memory."""
        file = TensorFile(path)
        found = {name: file.map(name, fetch=True) for name in file.names}
        if file.metadata.get("seal") != self._seal(found):
            raise ValueError("its content is damaged, or from another version")
        if found["panels"].shape[2:] != self._kernel.panel:
            raise ValueError("it was made for another processor")
        return found

    def _write(self, path: Path, tensors: Tensors) -> None:
        with cache_folder.replacing(path, UNFINISHED) as unfinished:
            write(unfinished, tensors, {"seal": self._seal(tensors)})

    def _seal(self, tensors: Tensors) -> str:
        """Return a checksum of names, shapes and content."""
        seal = FILE_FORMAT
        for name in sorted(tensors):
            tensor = tensors[name]
            seal = self._kernel.checksum(f"{name} {tensor.dtype} {list(tensor.shape)}".encode(), seal)
            seal = self._kernel.checksum(tensor, seal)
        return f"{seal:016x}"
