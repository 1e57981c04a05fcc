"""Give up for ever, without root, what a process that reads hostile files does not need.

That is its network, other files and other processes. This works on Linux on x86-64 and 64-bit ARM. What cannot be given
up on a system is reported.
"""

import ctypes
import os
import pkgutil
import platform
import struct
import sys
import sysconfig
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from core.pictures import landlock, seccomp

SET_DUMPABLE, SET_NO_NEW_PRIVILEGES = 4, 38  # of prctl(2)
CAPGET, CAPSET = {"x86_64": 125, "aarch64": 90}, {"x86_64": 126, "aarch64": 91}
CAPABILITY_VERSION = 0x20080522
READ_SEARCH = 1 << 2  # root may need it to reach our own code in a home folder
# Libraries that are loaded late, fonts, the number of processors, and what the C library reads about its own process.
SYSTEM = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/usr/share", "/usr/local/share",
    "/dev/null", "/dev/urandom", "/sys/devices/system/cpu", "/proc/self",
)  # fmt: skip


def hide() -> None:
    """Forbid other processes of this user to read this one's memory and environment, and forbid core dumps."""
    if sys.platform == "linux":
        _control(SET_DUMPABLE, 0)


def confine() -> list[str]:
    """Give up all rights that can be given up, and return the names of those kept.

    Call this before anything else is loaded and any thread runs. The modules on its path can still be imported.
    """
    if sys.platform != "linux":
        return ["new privileges", "root's rights", "other files", "network and processes"]
    steps: dict[str, Callable[[], None]] = {
        "new privileges": lambda: _control(SET_NO_NEW_PRIVILEGES, 1),
        "root's rights": _drop_capabilities,
        "other files": lambda: landlock.restrict_to([*map(Path, SYSTEM), *_importable()]),
        "network and processes": seccomp.install,
    }
    sys.path_importer_cache |= {folder: _RememberedFolder(folder) for folder in sys.path if _is_shared(Path(folder))}
    kept = []
    for name, step in steps.items():
        try:
            step()
        except (OSError, AttributeError, KeyError):
            kept.append(name)
    return kept


class _RememberedFolder:
    """The modules of a folder that Python may not list any more, so that it still finds them.

    Python lists a folder again when something in it has changed, and one that it may not list is empty to it.
    """

    def __init__(self, folder: str) -> None:
        modules = pkgutil.iter_modules([folder])
        self._specs = {module.name: module.module_finder.find_spec(module.name, None) for module in modules}

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        return self._specs.get(fullname)


def _is_shared(folder: Path) -> bool:
    """Return whether a folder on Python's path does not belong to Python, so that it may hold a database too."""
    own = map(Path, {sys.prefix, sys.base_prefix})
    return folder.is_dir() and not any(prefix in folder.resolve().parents for prefix in own)


def _importable() -> Iterator[Path]:
    """Yield the paths from which Python may still import. Of a shared folder these are its modules alone."""
    yield Path(sysconfig.get_path("stdlib"))
    for folder in map(Path, sys.path):
        if _is_shared(folder):
            yield from (path for path in folder.iterdir() if path.suffix in (".py", ".so", ".libs"))
            yield from (file.parent for file in folder.glob("*/__init__.py"))
        else:
            yield folder


def _drop_capabilities() -> None:
    library, machine = ctypes.CDLL(None, use_errno=True), platform.machine()
    header, held = struct.pack("=Ii", CAPABILITY_VERSION, 0), ctypes.create_string_buffer(24)
    if library.syscall(CAPGET[machine], header, held) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    left = struct.unpack_from("=I", held.raw, 4)[0] & READ_SEARCH  # of those that are permitted
    if library.syscall(CAPSET[machine], header, struct.pack("=6I", left, left, 0, 0, 0, 0)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _control(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
