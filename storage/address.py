"""Read the setting url in [storage] and find the database's file."""

import logging
import os
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from core.errors import OperatorError

log = logging.getLogger(__name__)
PRIVATE_FILE_MODE = 0o600
COMPANION_SUFFIXES = ("-wal", "-shm", "-journal", ".lock")  # SQLite's own files, and ours


def parse(url: str) -> URL:
    """Parse a database address. Raises `OperatorError`."""
    try:
        return make_url(url)
    except ArgumentError as error:
        raise not_an_address(error) from error


def file_of(url: str) -> Path | None:
    """Return SQLite's file, and make its folder. None for other databases and for one in memory.

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
    """Make SQLite's file and let only its owner read it and the files that belong to it. Raises `OSError`."""
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE_MODE))
    for path in (file, *(file.with_name(file.name + end) for end in COMPANION_SUFFIXES)):
        try:
            if path.stat().st_mode & 0o777 != PRIVATE_FILE_MODE:
                path.chmod(PRIVATE_FILE_MODE)
        except FileNotFoundError:
            continue
        except PermissionError:
            log.warning("%s belongs to another user, and others can read it", path)


def not_an_address(error: Exception) -> OperatorError:
    return OperatorError(
        "The setting url in [storage] is not a database address that works here: {reason}. "
        "An example: sqlite+aiosqlite:///data/answers.db",
        reason=str(error).strip().rstrip("."),
    )
