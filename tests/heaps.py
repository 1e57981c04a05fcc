"""How many heaps the C library made for the threads of a process."""

from pathlib import Path

HEAP_BYTES = 64 << 20  # glibc's, beside the first one, begin at a multiple of it


def heaps(process: int | str = "self") -> int:
    """Count the heaps of glibc in a process beside its first one. Raises `PermissionError`."""
    maps = (line.split() for line in Path(f"/proc/{process}/maps").read_text().splitlines())
    unnamed = (line[0] for line in maps if len(line) == 5 and line[1] == "rw-p")
    return sum(int(place.partition("-")[0], 16) % HEAP_BYTES == 0 for place in unnamed)
