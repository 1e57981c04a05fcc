"""Define one line of the doctor's report."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    NOTE = "note"  # works; the operator may want to know
    WRONG = "wrong"  # does not work until it is repaired


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One result. `text` says what was found and, unless all is well, what to do."""

    what: str
    level: Level
    text: str
