"""Count what is limited, such as a person's questions, in a way that holds for all replicas and after a restart."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

Counts = dict[str, Any]  # what JSON can hold
Result = TypeVar("Result")


class Tallies(Protocol):
    """Where counts are stored: `storage.store.Store`, or the tests' dictionary."""

    async def change_tally(self, name: str, seconds: float, change: Callable[[Counts, float], Result]) -> Result:
        """Let `change` change what is counted under a name, and store that. No other replica does so meanwhile.

        It gets the counts, at first none, and the time in seconds since 1970. It may be called again if the database
        was busy, and if it raises, nothing is stored. Counts that are not changed for so many seconds are dropped.
        """
        ...

    async def tally(self, name: str) -> tuple[Counts, float]:
        """Return what is counted under a name, and the time."""
        ...
