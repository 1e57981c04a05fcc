"""Notices that SQLite's files were removed, replaced or overwritten while they are open: what is written then is lost.

The process goes on writing into files that no path leads to any more, or into somebody else's pages, and each write
seems to work.
"""

import os
import random
from contextlib import suppress
from pathlib import Path

Identity = tuple[int, int] | None  # device and inode
OPEN_FILES = Path("/proc/self/fd")  # Linux
MAGIC = b"SQLite format 3\0"
MARK = slice(68, 72)  # of SQLite's header: the application_id
HEADER_BYTES = 100


def new_mark() -> int:
    """Return an application_id for one run: no copy that was made before has it."""
    return random.randrange(1, 2**31)


class Watch:
    """Of a database that exists; with `mark`, of one whose application_id only this process sets, to that.

    `close` it after SQLite's last connection: the process loses SQLite's locks when it closes any of a file's handles.
    """

    def __init__(self, path: Path, mark: int | None = None) -> None:
        self.path = path
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._identity = _identity(path)
        self._mark = mark.to_bytes(4, "big") if mark else None
        self._is_marked = False  # in the file: until a reader lets go, SQLite has it in its log
        self._is_overwritten = False
        self._beside: dict[Path, Identity] = {Path(f"{path}{end}"): None for end in ("-wal", "-shm")}

    def gone(self) -> Path | None:
        """Return the file that is not the one that is open any more, if there is one."""
        if _identity(self.path) != self._identity or self._overwritten():
            return self.path
        now = {path: _identity(path) for path in self._beside}
        for path, known in self._beside.items():
            # SQLite makes these anew itself, and the file system may give one's number to the other.
            if known is not None and known not in now.values() and _is_open(known):
                return path
        self._beside = now
        return None

    def close(self) -> None:
        os.close(self._handle)

    def _overwritten(self) -> bool:
        """Whether it was, since it was opened: SQLite may write a good header over what else is foreign."""
        header = os.pread(self._handle, HEADER_BYTES, 0)
        is_marked = header[MARK] == self._mark
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
    """Whether this process has that file open, wherever it is now."""
    for name in os.listdir(OPEN_FILES) if OPEN_FILES.exists() else ():
        with suppress(OSError):  # closed meanwhile
            status = os.fstat(int(name))
            if (status.st_dev, status.st_ino) == identity:
                return True
    return False
