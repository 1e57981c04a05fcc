"""Keep room on the disk: the cache leaves a reserve free, and gives way when something else needs space.

Computed files can be computed again; people's words and pictures cannot. This module imports no torch.
"""

import logging
from contextlib import suppress
from pathlib import Path

from core import cache_folder
from core.disk_space import free, reserve

log = logging.getLogger(__name__)
COMPUTED_FOLDER = "computed"  # in the cache, for pictures and conversations
CACHE_FILES = "*.safetensors*"  # including unfinished files of a killed process


def is_scarce(folder: Path) -> bool:
    """Return whether less than the reserve is free."""
    return free(folder) < reserve(folder)


def drop_oldest(computed: Path, size: int) -> dict[Path, int]:
    """Remove the cache files that were unused for longest, `size` bytes in all. Return them with their sizes."""
    dropped: dict[Path, int] = {}
    for _, bytes_, path in sorted(files(computed)):
        if sum(dropped.values()) >= size:
            break
        with suppress(OSError):
            cache_folder.remove(path)
            dropped[path] = bytes_
    return dropped


def files(computed: Path) -> list[tuple[float, int, Path]]:
    """Return for each cache file when it was last used, its size, and its path."""
    found = []
    for path in computed.rglob(CACHE_FILES):
        with suppress(OSError):  # removed meanwhile
            status = path.lstat()
            found.append((status.st_mtime, status.st_size, path))
    return found


def give_way(computed: Path, folder: Path) -> bool:
    """Make room for a write into `folder` that found the disk full. Return whether a file was removed.

    It restores the reserve, or frees as much as is free already, so that repeated calls free more and more.
    """
    with suppress(OSError):
        if computed.stat().st_dev == folder.stat().st_dev:
            available = free(folder)
            dropped = drop_oldest(computed, max(reserve(folder) - available, available, 1))
            if dropped:
                log.warning("the disk is full: %.1f MB of the cache gave way", sum(dropped.values()) / 1e6)
            return bool(dropped)
    return False
