"""Measure how much of a disk is free, and decide how much must stay free for people's words and pictures."""

import os
from pathlib import Path

RESERVED_SHARE = 0.2  # of a file system
MOST_RESERVED_BYTES = 1_000_000_000  # of a large one


def reserve(folder: Path) -> int:
    """Return the bytes that must stay free on the folder's file system."""
    system = os.statvfs(folder)
    return min(MOST_RESERVED_BYTES, int(RESERVED_SHARE * system.f_blocks * system.f_frsize))


def free(folder: Path) -> int:
    """Return the bytes that are free on the folder's file system."""
    system = os.statvfs(folder)
    return system.f_bavail * system.f_frsize
