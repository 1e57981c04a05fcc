"""What was computed before: image features by picture, keys and values by the rows they were computed from.

In memory up to a byte limit, and in a folder up to another, least recently used going first. Rows are found by token
ids and image ids, never by text: the worst case is a shorter prefix. Damaged and foreign files are computed again.
"""

import hashlib
import logging
import os
import tempfile
import zlib
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from torch import Tensor

from core.engine.prompt import Ints
from core.model.kv import KV, take_pages

log = logging.getLogger(__name__)
Arrays = dict[str, npt.NDArray[Any]]
FORMAT = 4  # of the files; raise it when their arrays change


@dataclass(slots=True)
class Entry:
    """`rows` is what a conversation's keys and values were computed from; a picture has none."""

    arrays: Arrays
    rows: Ints | None

    @property
    def bytes(self) -> int:
        return sum(array.nbytes for array in self.arrays.values())


class Cache:
    """`limit` is in bytes of memory. Belongs to the model thread; files are written by a thread of its own."""

    def __init__(self, limit: int, disk: "Disk | None") -> None:
        self.limit = limit
        self.used = 0
        self._entries: OrderedDict[str, Entry] = OrderedDict()  # least recently used first
        self._disk = disk

    def picture(self, image_id: str) -> Tensor | None:
        """(1 + deepstack, image tokens, hidden), if this picture was looked at before."""
        entry = self._get(f"picture-{image_id}")
        return torch.from_numpy(entry.arrays["features"]) if entry else None

    def has_picture(self, image_id: str) -> bool:
        """Without reading it; what is damaged is found out by `picture`."""
        name = f"picture-{image_id}"
        return name in self._entries or (self._disk is not None and self._disk.has(name))

    def keep_picture(self, image_id: str, features: Tensor) -> None:
        self._put(f"picture-{image_id}", Entry({"features": features.numpy()}, None))

    def resume(self, rows: Ints, kv: KV) -> int:
        """Copy the longest known beginning of `rows` into the empty `kv`; returns its length.

        The last row is never taken: its logits begin the answer.
        """
        entry = None
        while entry is None:  # a file that is gone or damaged is not found twice
            length, name = self._longest(rows[:-1])
            if not length:
                return 0
            entry = self._get(name)
        kv.rows[:, :, :length] = torch.from_numpy(entry.arrays["kv"][:, :, :length])
        kv.length = length
        return length

    def reusable(self, rows: Ints) -> int:
        """What `resume` would return, if all files are whole."""
        return self._longest(rows[:-1])[0]

    def keep(self, rows: Ints, kv: KV) -> None:
        """Remember `kv`, computed from `rows`; what it continues is forgotten."""
        length = len(rows)
        name = f"rows-{hashlib.sha256(rows.tobytes()).hexdigest()}"
        known = {each: entry.rows for each, entry in self._entries.items()} | (self._disk.rows if self._disk else {})
        for each, old in known.items():
            if old is not None and each != name and _common(old, rows) == len(old):
                self._drop(each)
        computed = kv.rows[:, :, :length]
        self._shrink(self.limit - 2 * computed.nbytes)  # while it is copied it is there twice
        kept = take_pages(computed.shape, computed.dtype).copy_(computed).numpy()
        self._put(name, Entry({"kv": kept, "rows": rows}, rows))

    def resize(self, limit: int) -> None:
        """Forget from memory until `limit` holds; it goes on to hold."""
        self.limit = limit
        self._shrink(limit)

    def close(self) -> None:
        if self._disk:
            self._disk.close()

    def _longest(self, rows: Ints) -> tuple[int, str]:
        best = (0, "")
        for name, entry in self._entries.items():
            if entry.rows is not None:
                best = max(best, (_common(entry.rows, rows), name))
        for name, kept in (self._disk.rows.copy() if self._disk else {}).items():
            if (length := _common(kept, rows)) > best[0]:
                best = (length, name)
        return best

    def _get(self, name: str) -> Entry | None:
        if name in self._entries:
            self._entries.move_to_end(name)
            return self._entries[name]
        arrays = self._disk.read(name) if self._disk else None
        if arrays is None:
            return None
        entry = Entry(arrays, arrays.get("rows"))
        self._remember(name, entry)
        return entry

    def _put(self, name: str, entry: Entry) -> None:
        self._remember(name, entry)
        if self._disk:
            self._disk.write(name, entry.arrays)

    def _remember(self, name: str, entry: Entry) -> None:
        self._forget(name)
        self._entries[name] = entry
        self.used += entry.bytes
        self._shrink(self.limit)

    def _shrink(self, limit: int) -> None:
        while self.used > limit and self._entries:
            _, entry = self._entries.popitem(last=False)
            self.used -= entry.bytes

    def _forget(self, name: str) -> None:
        if name in self._entries:
            self.used -= self._entries.pop(name).bytes

    def _drop(self, name: str) -> None:
        self._forget(name)
        if self._disk:
            self._disk.remove(name)


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


def _common(a: Ints, b: Ints) -> int:
    """How many rows they begin with in common."""
    length = min(len(a), len(b))
    differing = np.flatnonzero(a[:length] != b[:length])
    return int(differing[0]) if len(differing) else length
