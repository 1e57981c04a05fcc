"""The setting url in [storage]: what it points at."""

import logging
import os
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from core.errors import OperatorError

log = logging.getLogger(__name__)
PRIVATE = 0o600  # read and written by its owner
BESIDE = ("-wal", "-shm", "-journal", ".lock")  # SQLite's own files, and ours


def parse(url: str) -> URL:
    """Raises `OperatorError`."""
    try:
        return make_url(url)
    except ArgumentError as error:
        raise not_an_address(error) from error


def file_of(url: str) -> Path | None:
    """SQLite's file, in a folder that is made if need be; None for other databases, and one that is in memory.

    Raises `OperatorError`.
    """
    parsed = parse(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return None
    path = Path(parsed.database).absolute()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(
            "The database's folder cannot be made: {folder} ({reason}).",
            folder=str(path.parent),
            reason=error.strerror or str(error),
        ) from error
    return path.resolve()


def keep_private(file: Path) -> None:
    """Make SQLite's file, and let nobody but its owner read it, whoever made the folder; its log is like it.

    Raises `OSError`.
    """
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE))
    for path in (file, *(file.with_name(file.name + end) for end in BESIDE)):
        try:
            if path.stat().st_mode & 0o777 != PRIVATE:
                path.chmod(PRIVATE)
        except FileNotFoundError:
            continue
        except PermissionError:
            log.warning("%s belongs to somebody else, and others can read it", path)


def not_an_address(error: Exception) -> OperatorError:
    return OperatorError(
        "The setting url in [storage] is not a database address that works here: {reason}. "
        "An example: sqlite+aiosqlite:///data/answers.db",
        reason=str(error).strip().rstrip("."),
    )
