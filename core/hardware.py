"""Find out what this process may use: the machine's size, control groups (v1 and v2), and `ulimit`.

A container, a systemd service with `MemoryMax`, and a pod are control groups. A group never has more than its parents.
"""

import ctypes
import errno
import os
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import psutil

ROOT = Path("/")
MOUNTS = Path("sys/fs/cgroup")  # v1 has a folder per controller there, and may have v2's in "unified"
MALLOC_HEAPS_OPTION, MALLOC_HEAPS = -8, 2  # M_ARENA_MAX of glibc's mallopt(3)
ULIMITS = (("`ulimit -v`", resource.RLIMIT_AS, "vms"), ("`ulimit -d`", resource.RLIMIT_DATA, "data"))

OUT_OF_MEMORY = (
    "can't allocate memory", "cannot allocate memory", "not enough memory", "out of memory", "bad_alloc",
    "can't start new thread",
)  # fmt: skip


@dataclass(frozen=True, slots=True, order=True)
class Limit:
    """A limit in bytes. `source` names it for the operator, who may raise it."""

    bytes: int
    source: str


def memory(root: Path = ROOT) -> Limit:
    """Return the most memory that all programs here may use together, on this machine or in its control groups."""
    limits = [Limit(int(psutil.virtual_memory().total), "this machine's memory")]
    for group in _control_groups(root, "memory"):
        for name in ("memory.max", "memory.high", "memory.limit_in_bytes"):
            limits += [Limit(number, str(group / name)) for number in _numbers(group / name)]
        for line in _lines(group / "memory.stat"):  # v1 tells the limits of parents that a container cannot see
            if line.startswith("hierarchical_memory_limit "):
                limits.append(Limit(int(line.split()[1]), str(group / "memory.stat")))
    return min(limits)


def process_memory() -> Limit | None:
    """Return the most memory that this process may use: what it has, plus what `ulimit` still allows."""
    used = psutil.Process().memory_info()
    limits = []
    for source, kind, field in ULIMITS:
        most = resource.getrlimit(kind)[0]
        if most != resource.RLIM_INFINITY and hasattr(used, field):
            limits.append(Limit(used.rss + max(0, most - getattr(used, field)), source))
    return min(limits, default=None)


def cores(root: Path = ROOT) -> int:
    """Return how many physical cores can compute at once."""
    found = psutil.cpu_count(logical=False) or 1
    if sys.platform == "linux":
        found = min(found, len(os.sched_getaffinity(0)))
    for group in _control_groups(root, "cpu"):
        both = _numbers(group / "cpu.cfs_quota_us") + _numbers(group / "cpu.cfs_period_us")
        for numbers in (_numbers(group / "cpu.max"), both):
            match numbers:
                case [quota, period]:  # microseconds of all cores together, per microseconds of the clock
                    found = min(found, quota // period)
    return max(1, found)


def processor(root: Path = ROOT) -> dict[str, str]:
    """Return what Linux says of the first processor: "model name" and "flags" on x86-64, "Features" on ARM."""
    first = takewhile(str.strip, _lines(root / "proc/cpuinfo"))
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first)}


def descriptors() -> int:
    """Raise this process's limit of open files and connections as far as allowed, and return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether the system had no memory left. Knows the words of Python, the kernel, and torch's allocators."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    words = str(error).lower() if isinstance(error, RuntimeError) else ""
    return isinstance(error, MemoryError) or any(each in words for each in OUT_OF_MEMORY)


def limit_heaps() -> None:
    """Let threads share a few heaps. By default each of many threads has its own heap, which never shrinks."""
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        library.mallopt(MALLOC_HEAPS_OPTION, MALLOC_HEAPS)


def trim_heap() -> None:
    """Return freed memory to the system. Otherwise the C library keeps it, and it counts as ours."""
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):  # glibc's
        library.malloc_trim(0)


def _control_groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's groups and of their parents.

    /proc may name a path of the host while only the own group is mounted. Folders that do not exist have no files to
    read.
    """
    mounts = root / MOUNTS
    yield from (mounts, mounts / "unified", mounts / controller)
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        parts = [part for part in path.split("/") if part not in ("", "..")]
        if controllers and controller not in controllers.split(","):
            continue
        for top in (mounts / controller,) if controllers else (mounts, mounts / "unified"):
            yield from (top.joinpath(*parts[:depth]) for depth in range(len(parts), 0, -1))


def _numbers(file: Path) -> list[int]:
    """Return the numbers in a file. "max" or -1 means no limit, and is left out."""
    return [int(word) for line in _lines(file) for word in line.split() if word.isdecimal()]


def _lines(file: Path) -> list[str]:
    """Return the lines of a file, or none if it does not exist."""
    try:
        return file.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
