"""Room on the disk: the cache never takes the last of it, and gives way when something else needs it.

What is computed can be computed again; what people said and sent cannot. Knows no model, and imports no torch.
"""

import logging
from contextlib import suppress
from pathlib import Path

from core import cache_folder
from core.disk_space import free, reserve

log = logging.getLogger(__name__)
COMPUTED = "computed"  # the folder in the cache for pictures and conversations
PATTERN = "*.safetensors*"  # with what a process that was killed left half written


def is_scarce(folder: Path) -> bool:
    """Whether less than the reserve is free."""
    return free(folder) < reserve(folder)


def drop_oldest(computed: Path, size: int) -> dict[Path, int]:
    """Remove the files of the cache that were not used for longest; returns them with their bytes, `size` in all."""
    dropped: dict[Path, int] = {}
    for _, bytes_, path in sorted(files(computed)):
        if sum(dropped.values()) >= size:
            break
        with suppress(OSError):
            cache_folder.remove(path)
            dropped[path] = bytes_
    return dropped


def files(computed: Path) -> list[tuple[float, int, Path]]:
    """Return when each file of the cache was last used, its size, and the file."""
    found = []
    for path in computed.rglob(PATTERN):
        with suppress(OSError):  # removed meanwhile
            status = path.lstat()
            found.append((status.st_mtime, status.st_size, path))
    return found


def give_way(computed: Path, folder: Path) -> bool:
    """Make room for a write into `folder` for which the disk was too full; says whether anything went.

    The reserve is made free again, and twice of what is free already: the next call goes on where that did not help.
    """
    with suppress(OSError):
        if computed.stat().st_dev == folder.stat().st_dev:
            available = free(folder)
            dropped = drop_oldest(computed, max(reserve(folder) - available, available, 1))
            if dropped:
                log.warning("the disk is full: %.1f MB of the cache gave way", sum(dropped.values()) / 1e6)
            return bool(dropped)
    return False
