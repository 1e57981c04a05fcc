"""Cache what was computed: image features by picture, keys and values by the rows they were computed from.

The cache keeps them in memory up to a byte limit, dropping the least recently used first, and on disk
(`core.engine.disk_cache`). Rows are found by token ids and image ids, never by text: at worst a shorter prefix.
Another conversation that begins alike may use them too. They belong to the conversation they were computed for, and go
when it is forgotten.
"""

import hashlib
import math
import sys
import time
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.engine.disk_cache import Arrays, DiskCache, Selects
from core.engine.prompt import Ints, picture_keys
from core.image import tile_ids
from core.model.kv import KV, take_pages

UNSTORED_QUESTION_SECONDS = 3600.0  # the question of a younger file may not be stored yet
# A file that has mostly other rows is read only for so many: all prompts begin with the same few.
LEAST_GAIN_ROWS = 64


@dataclass(slots=True)
class CacheEntry:
    """One cached item. `rows` tells what a conversation's keys and values were computed from; a picture has none."""

    arrays: Arrays
    rows: Ints | None

    @property
    def bytes(self) -> int:
        return sum(array.nbytes for array in self.arrays.values())


class Cache:
    """The prefix cache and image cache, for the model thread only. `limit` is in bytes of memory."""

    def __init__(self, limit: int, disk: DiskCache | None) -> None:
        self.limit = limit
        self.used = 0
        self._most = sys.maxsize  # the largest allowed limit; falls once memory was missing
        self._entries: OrderedDict[str, CacheEntry] = OrderedDict()  # least recently used first
        self._disk = disk

    def picture(self, image_id: str) -> Tensor | None:
        """Return the picture's features (1 + deepstack, image tokens, hidden), or None if they are not cached."""
        entry = self._get(f"picture-{image_id}")
        return torch.from_numpy(entry.arrays["features"]) if entry else None

    def has_picture(self, image_id: str) -> bool:
        """Return whether a picture's features are cached, without reading them.

        `picture` finds out whether they are damaged.
        """
        name = f"picture-{image_id}"
        return name in self._entries or (self._disk is not None and self._disk.has(name))

    def keep_picture(self, image_id: str, features: Tensor, on_disk: bool = True) -> None:
        self._put(f"picture-{image_id}", CacheEntry({"features": features.numpy()}, None), on_disk)

    def load_prefix(self, rows: Ints, kv: KV) -> int:
        """Copy the longest cached prefix of `rows` into the empty `kv` and return its length.

        The last row is never taken, because the answer begins with its logits.
        """
        entry = None
        while entry is None:  # a missing or damaged file is not found a second time
            length, name = self._match_prefix(rows[:-1])
            if not length:
                return 0
            entry = self._get(name)
        kv.rows[:, :, :length] = torch.from_numpy(entry.arrays["kv"][:, :, :length])
        kv.length = length
        return length

    def reusable(self, rows: Ints) -> int:
        """Return what `load_prefix` would return if all files are undamaged."""
        return self._match_prefix(rows[:-1])[0]

    def keep(self, conversation_id: str, rows: Ints, kv: KV, on_disk: bool = True) -> None:
        """Cache `kv`, computed from `rows`. It replaces every prefix of itself, on disk only if it is written there."""
        length = len(rows)
        name = _prefix(conversation_id) + _digest(rows.tobytes())
        known = {each: entry.rows for each, entry in self._entries.items()} | (self._disk.rows if self._disk else {})
        for each, old in known.items():
            if old is not None and each != name and _common(old, rows) == len(old):
                self._drop(each, on_disk)
        computed = kv.rows[:, :, :length]
        self._shrink(self.limit - 2 * computed.nbytes)  # two copies exist while it is copied
        kept = take_pages(computed.shape, computed.dtype).copy_(computed).numpy()
        self._put(name, CacheEntry({"kv": kept, "rows": rows}, rows), on_disk)

    def forget(self, conversation_id: str | None, image_ids: Collection[str]) -> None:
        """Drop all that was computed for this conversation or from these pictures, in memory and on disk."""
        own = None if conversation_id is None else _prefix(conversation_id)
        pictures, shown = _marks(image_ids)

        def gone(name: str, rows: Ints | None) -> bool:
            if rows is not None and not shown.isdisjoint(_shown(rows)):
                return True
            return name in pictures or (own is not None and name.startswith(own))

        self._forget(gone, math.inf)

    def keep_only(self, conversation_ids: Collection[str], image_ids: Collection[str]) -> None:
        """Drop what belongs to any other conversation or picture, except files of the last hour.

        This removes what `forget` could not name: results for a question that was never answered, from a process that
        was killed, or from an earlier version. The question of a recent file may not be stored yet.
        """
        known = {_prefix(conversation_id) for conversation_id in conversation_ids}
        pictures, shown = _marks(image_ids)

        def gone(name: str, rows: Ints | None) -> bool:
            if rows is None:
                return name not in pictures
            return name[: -len(_digest(b""))] not in known or not shown.issuperset(_shown(rows))

        self._forget(gone, time.time() - UNSTORED_QUESTION_SECONDS)

    def resize(self, limit: int) -> None:
        """Set `limit`, and drop entries from memory until it holds."""
        self.limit = min(limit, self._most)
        self._shrink(self.limit)

    def give_way(self, share: float) -> None:
        """Keep only a share of what is in memory, and never again more than half of it."""
        self._most = min(self._most, self.used // 2)
        self._shrink(int(share * self.used))
        self.limit = min(self.limit, self._most)

    def close(self) -> None:
        if self._disk:
            self._disk.close()

    def _forget(self, selects: Selects, before: float) -> None:
        for name in [name for name, entry in self._entries.items() if selects(name, entry.rows)]:
            self._evict(name)
        if self._disk:
            self._disk.forget(selects, before)

    def _match_prefix(self, rows: Ints) -> tuple[int, str]:
        best = (0, "")
        for name, entry in self._entries.items():
            if entry.rows is not None:
                best = max(best, (_common(entry.rows, rows), name))
        for name, kept in (self._disk.rows.copy() if self._disk else {}).items():
            length = _common(kept, rows)
            if length > best[0] and (2 * length >= len(kept) or length - best[0] >= LEAST_GAIN_ROWS):
                best = (length, name)
        return best

    def _get(self, name: str) -> CacheEntry | None:
        if name in self._entries:
            self._entries.move_to_end(name)
            return self._entries[name]
        arrays = self._disk.read(name) if self._disk else None
        if arrays is None:
            return None
        entry = CacheEntry(arrays, arrays.get("rows"))
        self._remember(name, entry)
        return entry

    def _put(self, name: str, entry: CacheEntry, on_disk: bool) -> None:
        self._remember(name, entry)
        if self._disk and on_disk:
            self._disk.write(name, entry.arrays)

    def _remember(self, name: str, entry: CacheEntry) -> None:
        self._evict(name)
        if entry.bytes <= self.limit:  # a larger one would push out all others, and then itself
            self._entries[name] = entry
            self.used += entry.bytes
            self._shrink(self.limit)

    def _shrink(self, limit: int) -> None:
        while self.used > limit and self._entries:
            _, entry = self._entries.popitem(last=False)
            self.used -= entry.bytes

    def _evict(self, name: str) -> None:
        if name in self._entries:
            self.used -= self._entries.pop(name).bytes

    def _drop(self, name: str, on_disk: bool) -> None:
        self._evict(name)
        if self._disk and on_disk:
            self._disk.remove(name)


def _prefix(conversation_id: str) -> str:
    """Return how the names of a conversation's rows begin."""
    return f"rows-{_digest(conversation_id.encode())}-"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _marks(image_ids: Collection[str]) -> tuple[set[str], set[int]]:
    """Return the names of the features of these pictures and their tiles, and the first key of the rows of each."""
    ids = [name for image_id in image_ids for name in (image_id, *tile_ids(image_id))]
    return {f"picture-{each}" for each in ids}, {int(picture_keys(each, 1)[0]) for each in ids}


def _shown(rows: Ints) -> list[int]:
    """Return the first key of each picture among the rows. Token ids always separate two pictures."""
    begins = (rows < 0) & np.append(True, rows[:-1] >= 0)
    return [int(key) for key in rows[begins]]


def _common(a: Ints, b: Ints) -> int:
    """Return how many rows both begin with in common."""
    length = min(len(a), len(b))
    differing = np.flatnonzero(a[:length] != b[:length])
    return int(differing[0]) if len(differing) else length
