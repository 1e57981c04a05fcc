"""The part of the cache that outlives a restart: files in a folder up to a byte limit, least recently used going first.

Damaged and foreign files are removed, and what they held is computed again.
"""

import logging
import os
import tempfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from core.engine.prompt import Ints

log = logging.getLogger(__name__)
Arrays = dict[str, npt.NDArray[Any]]
Gone = Callable[[str, Ints | None], bool]  # whether what has this name, and these rows, is to go
FORMAT = 5  # of the files; raise it when their names or arrays change


class Disk:
    """Files of one model identity below `folder`; `limit` bytes hold for all identities together."""

    def __init__(self, folder: Path, identity: str, limit: int) -> None:
        self._root = folder
        self._folder = folder / f"{identity}-{FORMAT}"
        self._identity = identity
        self._limit = limit
        self._folder.mkdir(parents=True, exist_ok=True)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="cache")
        self.rows: dict[str, Ints] = {}  # of the conversations on disk; the writer's thread changes it too
        for path in self._folder.glob("rows-*.safetensors"):
            rows = self._rows_of(path)
            if rows is not None:
                self.rows[path.stem] = rows

    def has(self, name: str) -> bool:
        return self._path(name).is_file()

    def read(self, name: str) -> Arrays | None:
        path = self._path(name)
        try:
            with safe_open(path, framework="numpy") as opened:
                arrays = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118 (not a dict)
                known = (opened.metadata() or {}).get("seal")
            if known != self._seal(arrays):
                raise ValueError("its content changed")
            os.utime(path)  # the least recently used go first
        except FileNotFoundError:
            self.rows.pop(name, None)
            return None
        except (SafetensorError, ValueError, OSError) as error:
            log.warning("%s is computed again: %s", path.name, error)
            self.remove(name)
            return None
        return arrays

    def write(self, name: str, arrays: Arrays) -> None:
        self._writer.submit(self._write, name, arrays)

    def remove(self, name: str) -> None:
        self.rows.pop(name, None)
        self._writer.submit(self._unlink, self._path(name))

    def forget(self, gone: Gone, before: float) -> None:
        """Remove what `gone` says, of all models, and was last used `before`, in seconds since 1970."""
        self._writer.submit(self._forget, gone, before)

    def close(self) -> None:
        self._writer.shutdown()

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.safetensors"

    def _rows_of(self, path: Path) -> Ints | None:
        """Without reading the rest; the seal is checked when it is used."""
        try:
            with safe_open(path, framework="numpy") as opened:
                return np.asarray(opened.get_tensor("rows"), np.int64)
        except (SafetensorError, OSError):
            path.unlink(missing_ok=True)
            return None

    def _write(self, name: str, arrays: Arrays) -> None:
        """Whole or not at all, in the writer's thread. A full disk costs a computation later, not an answer now."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)  # somebody may have emptied the cache
            handle, temporary = tempfile.mkstemp(dir=self._folder, suffix=".safetensors.tmp")
            os.close(handle)
            try:
                save_file(arrays, temporary, {"seal": self._seal(arrays)})
                Path(temporary).replace(self._path(name))
            finally:
                Path(temporary).unlink(missing_ok=True)
            if "rows" in arrays:
                self.rows[name] = arrays["rows"]
            self._make_room()
        except (SafetensorError, OSError) as error:
            log.warning("%s was not kept on disk: %s", name, error)

    def _make_room(self) -> None:
        found = []
        for path in self._root.rglob("*.safetensors*"):  # with what a process that was killed left half written
            status = path.stat()
            found.append((status.st_mtime, status.st_size, path))
        excess = sum(size for _, size, _ in found) - self._limit
        for _, size, path in sorted(found):
            if excess <= 0:
                break
            self._unlink(path)
            excess -= size

    def _forget(self, gone: Gone, before: float) -> None:
        """In the writer's thread, behind what is still to be written."""
        for path in list(self._root.rglob("*.safetensors*")):  # with what a process that was killed left half written
            try:
                if path.stat().st_mtime >= before:
                    continue
                rows = self._rows_of(path) if path.name.startswith("rows-") else None
                if gone(path.stem, rows):
                    self._unlink(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                log.warning("%s is to be removed and cannot be: %s", path, error)

    def _unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        if path.parent == self._folder:
            self.rows.pop(path.stem, None)

    def _seal(self, arrays: Arrays) -> str:
        """Of content, shapes and the model they belong to."""
        seal = zlib.crc32(f"{FORMAT} {self._identity}".encode())
        for key in sorted(arrays):
            array = np.ascontiguousarray(arrays[key])
            seal = zlib.crc32(f"{key}{array.shape}{array.dtype}".encode(), seal)
            seal = zlib.crc32(array.view(np.uint8).data, seal)
        return f"{seal:08x}"
