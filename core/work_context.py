"""Know for whom something is computed and since when they wait, to share decoders and order the queue.

This follows everything that works on a question, like the id of `core.trace`.
"""

import time
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WorkContext:
    """`person` is a platform and an id, or "". `arrived` is when their whole message was here (monotonic)."""

    person: str = ""
    arrived: float = field(default_factory=time.monotonic)
    platform: str = "terminal"  # that they ask on


_current: ContextVar[WorkContext | None] = ContextVar("work_context", default=None)


def set_current(person: str, arrived: float | None = None, platform: str = "") -> None:
    """Make this task, and tasks that it starts, work for this person from now on."""
    since = time.monotonic() if arrived is None else arrived
    _current.set(WorkContext(person, since, platform or current().platform))


def current() -> WorkContext:
    return _current.get() or WorkContext()
