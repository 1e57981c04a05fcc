"""The setting url in [storage]: what it points at."""

from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from core.errors import OperatorError


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


def not_an_address(error: Exception) -> OperatorError:
    return OperatorError(
        "The setting url in [storage] is not a database address that works here: {reason}. "
        "An example: sqlite+aiosqlite:///data/answers.db",
        reason=str(error).strip().rstrip("."),
    )
