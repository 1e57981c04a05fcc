"""Hold the right to work on something that several replicas could do, such as a conversation.

The lease of a task follows everything that the task starts, like the id of `core.trace`.
"""

from contextvars import ContextVar
from dataclasses import dataclass

from core.errors import Interrupted
from core.uptime import uptime


class LeaseLost(Interrupted):
    """Raised when another replica holds a lease, or may hold it by now."""

    def __init__(self) -> None:
        super().__init__("The service is restarting. Your question is kept and will be answered.")


@dataclass(slots=True, eq=False)
class Lease:
    """The right to work on `name`.

    `fence` counts how often the name changed hands. `until` is when it may be another replica's, in seconds of
    `core.uptime`; who holds it moves that on.
    """

    name: str
    owner: str
    fence: int
    until: float
    lost: bool = False


_current: ContextVar[Lease | None] = ContextVar("lease", default=None)


def set_current(lease: Lease | None) -> None:
    """Make this task, and tasks that it starts, work under this lease from now on."""
    _current.set(lease)


def current() -> Lease | None:
    """Return the lease that this task works under. It is None where there is one service only."""
    return _current.get()


def check() -> None:
    """Raise `LeaseLost` if the current lease has ended, by this machine's own clock.

    Call it before each write that people see.
    """
    lease = _current.get()
    if lease is not None and (lease.lost or uptime() >= lease.until):
        raise LeaseLost
