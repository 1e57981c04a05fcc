"""What this machine lets us use, or the container that this is: a container's limits are files of its cgroup (v2)."""

import os
import resource
import sys
from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")  # inside a container, its own


def memory(cgroup: Path = CGROUP) -> int:
    """In bytes."""
    return min([int(psutil.virtual_memory().total), *_numbers(cgroup / "memory.max")])


def cores(cgroup: Path = CGROUP) -> int:
    """That can compute at once: two threads of one core cannot."""
    found = psutil.cpu_count(logical=False) or 1
    if sys.platform == "linux":
        found = min(found, len(os.sched_getaffinity(0)))
    match _numbers(cgroup / "cpu.max"):
        case [quota, period]:  # microseconds of all cores together within so many of the clock
            found = min(found, quota // period)
    return max(1, found)


def descriptors() -> int:
    """Let this process open as many files and connections as it may; return how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


def _numbers(file: Path) -> list[int]:
    """Empty where there is no such file; no limit is the word "max"."""
    try:
        return [int(word) for word in file.read_text("ascii").split() if word.isdecimal()]
    except OSError:
        return []
