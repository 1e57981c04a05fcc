"""How much of a disk is free, and how much of it is to stay free: what people said and sent needs room."""

import os
from pathlib import Path

SHARE = 0.2  # of a file system that is kept free
MOST_BYTES = 1_000_000_000  # that are kept free of a large one


def reserve(folder: Path) -> int:
    """Return the bytes that are to stay free on the folder's file system."""
    system = os.statvfs(folder)
    return min(MOST_BYTES, int(SHARE * system.f_blocks * system.f_frsize))


def free(folder: Path) -> int:
    """Return the bytes that are free on the folder's file system."""
    system = os.statvfs(folder)
    return system.f_bavail * system.f_frsize
