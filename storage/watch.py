"""Notice that SQLite's files were removed, replaced or overwritten while they are open, so that later writes are lost.

The process would keep writing into files that no path leads to, or into another database's pages, and each write would
seem to work.
"""

import os
import random
from contextlib import suppress
from pathlib import Path

Identity = tuple[int, int] | None  # device and inode
OPEN_FILES = Path("/proc/self/fd")  # Linux
MAGIC = b"SQLite format 3\0"
APPLICATION_ID = slice(68, 72)  # in SQLite's header
SQLITE_HEADER_BYTES = 100


def new_mark() -> int:
    """Return an application_id for one run. No earlier copy has the same."""
    return random.randrange(1, 2**31)


class Watch:
    """Watches an existing database. `mark` is the application_id that only this process sets.

    `close` it after SQLite's last connection, because closing any handle of a file releases the process's locks on it.
    """

    def __init__(self, path: Path, mark: int | None = None) -> None:
        self.path = path
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._identity = _identity(path)
        self._mark = mark.to_bytes(4, "big") if mark else None
        self._is_marked = False  # in the file itself; until readers let go, the mark is only in SQLite's log
        self._is_overwritten = False
        self._companions: dict[Path, Identity] = {Path(f"{path}{end}"): None for end in ("-wal", "-shm")}

    def gone(self) -> Path | None:
        """Return the first file that was removed or replaced, if any."""
        if _identity(self.path) != self._identity or self._overwritten():
            return self.path
        now = {path: _identity(path) for path in self._companions}
        for path, known in self._companions.items():
            # SQLite itself makes these again, and the file system may reuse one's number for the other.
            if known is not None and known not in now.values() and _is_open(known):
                return path
        self._companions = now
        return None

    def close(self) -> None:
        os.close(self._handle)

    def _overwritten(self) -> bool:
        """Return whether the file was ever overwritten while open. SQLite may later write a good header over it."""
        header = os.pread(self._handle, SQLITE_HEADER_BYTES, 0)
        is_marked = header[APPLICATION_ID] == self._mark
        self._is_overwritten |= not header.startswith(MAGIC) or (self._is_marked and not is_marked)
        self._is_marked |= is_marked
        return self._is_overwritten


def _identity(path: Path) -> Identity:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_open(identity: Identity) -> bool:
    """Return whether this process has that file open, under any path."""
    for name in os.listdir(OPEN_FILES) if OPEN_FILES.exists() else ():
        with suppress(OSError):  # closed meanwhile
            status = os.fstat(int(name))
            if (status.st_dev, status.st_ino) == identity:
                return True
    return False
