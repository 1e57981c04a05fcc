"""Keep a list of the people who were forgotten, so that a backup from before does not bring them back.

It is a file and no table, because a restore begins with an empty database. It has pseudonyms and times, and no names.
"""

import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from core.errors import OperatorError

MINUTE = "%Y-%m-%d %H:%M UTC"  # also of a backup
_LINE = re.compile(r"([0-9a-f]{32}) (\d{4}-\d\d-\d\d \d\d:\d\d UTC)")


def now() -> str:
    """Return the present minute."""
    return datetime.now(UTC).strftime(MINUTE)


def add(file: Path, names: Iterable[str]) -> None:
    """Add pseudonyms to the list, on disk when this returns. Raises `OperatorError`."""
    lines = "".join(f"{name} {now()}\n" for name in sorted(names))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(lines)
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        raise OperatorError(
            "The list of forgotten people, {file}, cannot be written ({reason}), so no one was forgotten. Check the "
            "setting forgotten in [storage].",
            file=str(file),
            reason=error.strerror or str(error),
        ) from error


def since(file: Path, moment: str) -> frozenset[str]:
    """Return the pseudonyms of people who were forgotten in that minute or later; "" is the beginning of time.

    Raises `OperatorError` if the list cannot be read, or is damaged: then somebody would come back.
    """
    try:
        lines = file.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return frozenset()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, str(error)) from error
    entries = [_LINE.fullmatch(line) for line in lines if line]
    if None in entries:
        raise _unreadable(file, f"line {entries.index(None) + 1} is no entry")
    return frozenset(entry[1] for entry in entries if entry is not None and entry[2] >= moment)


def _unreadable(file: Path, reason: str) -> OperatorError:
    return OperatorError(
        "The list of forgotten people, {file}, cannot be read: {reason}.", file=str(file), reason=reason
    )
