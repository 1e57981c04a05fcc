"""Find the OpenMP runtime that torch has loaded."""

import ctypes
from pathlib import Path


def share() -> None:
    """Let libraries that are loaded from now on use the runtime that is loaded already.

    Torch for x86-64 shows its runtime to every library, torch for ARM only to itself.
    """
    mapped = [line.split(maxsplit=5)[-1] for line in Path("/proc/self/maps").read_text("utf-8").splitlines()]
    if found := next((path for path in mapped if Path(path).name.startswith("libgomp")), None):
        ctypes.CDLL(found, ctypes.RTLD_GLOBAL)
