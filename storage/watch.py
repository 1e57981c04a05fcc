"""Notices that SQLite's files were removed or replaced while they are open: what is written then is lost.

The process goes on writing into files that no path leads to any more, and each write seems to work.
"""

import os
from contextlib import suppress
from pathlib import Path

Identity = tuple[int, int] | None  # device and inode
OPEN_FILES = Path("/proc/self/fd")  # Linux


class Watch:
    """Of a database that exists."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._identity = _identity(path)
        self._beside: dict[Path, Identity] = {Path(f"{path}{end}"): None for end in ("-wal", "-shm")}

    def gone(self) -> Path | None:
        """Return the file that is not the one that is open any more, if there is one."""
        if _identity(self.path) != self._identity:
            return self.path
        for path, known in self._beside.items():
            if (now := _identity(path)) != known:
                if known is not None and _is_open(known):
                    return path
                self._beside[path] = now  # SQLite makes these anew itself
        return None


def _identity(path: Path) -> Identity:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_open(identity: Identity) -> bool:
    """Whether this process has that file open, wherever it is now."""
    for name in os.listdir(OPEN_FILES) if OPEN_FILES.exists() else ():
        with suppress(OSError):  # closed meanwhile
            status = os.fstat(int(name))
            if (status.st_dev, status.st_ino) == identity:
                return True
    return False
