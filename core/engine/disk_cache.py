"""Keep the part of the cache that survives a restart: files in a folder, up to a byte limit.

The least recently used files go first. Damaged and foreign files, links, pipes and folders are removed, and their
content is computed again.
"""

import logging
import os
import stat
import zlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from core import cache_folder, hardware
from core.disk_space import free, reserve
from core.engine import cache_space
from core.engine.prompt import Ints
from core.model.tensor_file import TensorFile

log = logging.getLogger(__name__)
Arrays = dict[str, npt.NDArray[Any]]
Selects = Callable[[str, Ints | None], bool]  # whether to remove the entry of this name, with these rows
QUEUED_WRITE_BYTES = 256_000_000  # most bytes that may wait to be written
FILE_HEADER_BYTES = 1024  # roughly
FILE_FORMAT = 5  # raise it when names or arrays of the files change


class DiskCache:
    """The cache files of one model identity below `folder`. `limit` bytes hold for all identities together."""

    def __init__(self, folder: Path, identity: str, limit: int) -> None:
        self._root = folder
        self._folder = cache_folder.make(folder / f"{identity}-{FILE_FORMAT}", below=folder.parent)
        self._identity = identity
        self._limit = limit
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="cache")
        self._pending: list[tuple[Future[None], int]] = []
        self.rows: dict[str, Ints] = {}  # conversations on disk; the writer's thread changes it too
        for path in self._folder.glob("rows-*.safetensors"):
            rows = self._rows_of(path)
            if rows is not None:
                self.rows[path.stem] = rows

    def has(self, name: str) -> bool:
        try:
            _check(self._path(name))
        except (ValueError, OSError):
            return False
        return True

    def read(self, name: str) -> Arrays | None:
        """Return what was written, or None if it is not there undamaged. A damaged file is removed."""
        path = self._path(name)
        try:
            _check(path)
            file = TensorFile(path)
            arrays = {key: _array(file, key) for key in file.names}
            if file.metadata.get("seal") != self._seal(arrays):
                raise ValueError("its content changed")
            with suppress(OSError):  # the disk may be read-only
                os.utime(path)  # marks it as recently used
        except FileNotFoundError:
            self.rows.pop(name, None)
            return None
        except Exception as error:
            if hardware.is_out_of_memory(error):
                raise
            log.warning("%s is computed again: %s", path.name, error)
            self.remove(name)
            return None
        return arrays

    def write(self, name: str, arrays: Arrays) -> None:
        """Write the arrays later, in the writer's thread. Drops them when a slow disk has too much waiting already."""
        size = sum(array.nbytes for array in arrays.values())
        self._pending = [(future, waiting) for future, waiting in self._pending if not future.done()]
        if self._pending and size + sum(waiting for _, waiting in self._pending) > QUEUED_WRITE_BYTES:
            log.warning("%s is not kept: the disk is too slow", name)
            return
        self._pending.append((self._writer.submit(self._write, name, arrays), size))

    def remove(self, name: str) -> None:
        self.rows.pop(name, None)
        self._writer.submit(self._unlink, self._path(name))

    def forget(self, selects: Selects, before: float) -> None:
        """Remove files of all models that `selects` picks and that were last used before `before`, a Unix time."""
        self._writer.submit(self._forget, selects, before)

    def close(self) -> None:
        self._writer.shutdown()

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.safetensors"

    def _rows_of(self, path: Path) -> Ints | None:
        """Return a file's rows without reading the rest. The seal is checked when the file is used."""
        try:
            _check(path)
            rows: Ints = _array(TensorFile(path), "rows")
            if rows.ndim != 1 or rows.dtype != np.int64:
                raise ValueError("it has no valid rows")
            return rows
        except Exception as error:  # any error means that the file is not ours
            if not hardware.is_out_of_memory(error):
                log.warning("%s is removed from the cache: %s", path.name, error)
                self._unlink(path)
            return None

    def _write(self, name: str, arrays: Arrays) -> None:
        """Write arrays in the writer's thread. A full disk costs a computation later, no answer now."""
        try:
            cache_folder.make(self._folder, below=self._root.parent)  # an operator may have emptied the cache
            if not self._make_room(FILE_HEADER_BYTES + sum(array.nbytes for array in arrays.values())):
                return
            with cache_folder.replacing(self._path(name), ".safetensors.tmp") as unfinished:
                save_file(arrays, unfinished, {"seal": self._seal(arrays)})
            if "rows" in arrays:
                self.rows[name] = arrays["rows"]
        except Exception as error:
            log.warning("%s was not kept on disk: %s", name, error)

    def _make_room(self, size: int) -> bool:
        """Make room for a file of `size` bytes, within the limit and above the disk's reserve.

        Return whether the file fits.
        """
        if size > self._limit:
            return False
        kept = reserve(self._root)
        excess = sum(bytes_ for _, bytes_, _ in cache_space.files(self._root)) + size - self._limit
        for path in cache_space.drop_oldest(self._root, max(excess, kept + size - free(self._root))):
            self._forget_rows(path)
        return free(self._root) - size >= kept

    def _forget(self, selects: Selects, before: float) -> None:
        """Remove what `selects` picks, in the writer's thread, after all that is still to be written."""
        for used, _, path in cache_space.files(self._root):
            if used >= before:
                continue
            try:
                rows = self._rows_of(path) if path.name.startswith("rows-") else None
                if selects(path.stem, rows):
                    self._unlink(path)
            except Exception as error:
                log.warning("%s cannot be removed: %s", path, error)

    def _unlink(self, path: Path) -> None:
        """Remove a path of any kind. Logs what cannot be removed."""
        try:
            cache_folder.remove(path)
        except OSError as error:
            log.warning("%s cannot be removed from the cache: %s", path, error)
        self._forget_rows(path)

    def _forget_rows(self, path: Path) -> None:
        if path.parent == self._folder:
            self.rows.pop(path.stem, None)

    def _seal(self, arrays: Arrays) -> str:
        """Return a checksum of content, shapes and model identity."""
        seal = zlib.crc32(f"{FILE_FORMAT} {self._identity}".encode())
        for key in sorted(arrays):
            array = np.ascontiguousarray(arrays[key])
            seal = zlib.crc32(f"{key}{array.shape}{array.dtype}".encode(), seal)
            seal = zlib.crc32(array.view(np.uint8).data, seal)
        return f"{seal:08x}"


def _check(path: Path) -> None:
    """Raise `ValueError` if the path is no regular file (a link leads elsewhere, a pipe never ends), or `OSError`."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise ValueError("it is not a regular file")


def _array(file: TensorFile, name: str) -> npt.NDArray[Any]:
    """Return a copy of a tensor: the file may go or change.

    `safetensors` itself panics when no memory is left, which would end the thread.
    """
    found: npt.NDArray[Any] = file.map(name, fetch=True).numpy().copy()
    return found
