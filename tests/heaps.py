"""Count the heaps that the C library made for a process's threads."""

from pathlib import Path

HEAP_BYTES = 64 << 20  # glibc's heaps, except the first, begin at a multiple of it


def heaps(process: int | str = "self") -> int:
    """Count a process's heaps of glibc, without the first one. Raises `PermissionError`."""
    maps = (line.split() for line in Path(f"/proc/{process}/maps").read_text().splitlines())
    unnamed = (line[0] for line in maps if len(line) == 5 and line[1] == "rw-p")
    return sum(int(place.partition("-")[0], 16) % HEAP_BYTES == 0 for place in unnamed)
