"""On whose behalf something is computed, and since when they wait: what shares and places in line are given by.

It goes along with whatever works on a question, like the id of `core.trace`.
"""

import time
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Asker:
    """`person` is a platform and an id, or nobody in particular; `arrived` is when all they sent was here
    (monotonic)."""

    person: str = ""
    arrived: float = field(default_factory=time.monotonic)


_current: ContextVar[Asker | None] = ContextVar("asker", default=None)


def begin(person: str, arrived: float | None = None) -> None:
    """From here on this task, and what it starts, works for this person."""
    _current.set(Asker(person) if arrived is None else Asker(person, arrived))


def current() -> Asker:
    return _current.get() or Asker()
