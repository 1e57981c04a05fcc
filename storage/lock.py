"""Let one service at a time use a SQLite database: two would answer every question twice.

The lock ends with its process, however that ends. Commands that only read do not need it.
"""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.errors import OperatorError
from storage.address import file_of

try:
    import fcntl
except ImportError:  # Windows, where SQLite's own locks must be enough
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)
HOLDER_BYTES = 300  # most bytes of a host's name and a process's number


@contextmanager
def hold(url: str) -> Iterator[None]:
    """Hold the database alone within the block. Raises `OperatorError` that names the current holder."""
    database = file_of(url)
    if database is None or fcntl is None:
        yield
        return
    try:
        handle = os.open(Path(f"{database}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise OperatorError(
            "The database's folder {folder} cannot be written ({reason}). Check its permissions and the free space.",
            folder=str(database.parent),
            reason=error.strerror or str(error),
        ) from error
    try:
        _lock(handle, database)
        yield
    finally:
        os.close(handle)  # unlocks it; the file stays, because another process may be about to lock it


def _lock(handle: int, database: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        host, _, process = os.pread(handle, HOLDER_BYTES, 0).decode("utf-8", "replace").strip().partition(" ")
        raise OperatorError(
            "Another service works with the database {database} already: process {process} on {host}. End it first, or "
            "give this one a database of its own with url in [storage].",
            database=str(database),
            process=process or "?",
            host=host or "?",
        ) from None
    except OSError as error:
        log.warning("%s cannot be locked (%s): make sure that only one service uses it", database, error.strerror)
        return
    with suppress(OSError):  # on a full disk the lock holds without its holder's name
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{socket.gethostname()} {os.getpid()}\n".encode(), 0)
