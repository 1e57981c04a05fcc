"""Limit how often the token may be guessed: from one address, and from all together."""

import time
from collections import deque
from collections.abc import Callable

from core.latest import Latest

MINUTE_SECONDS = 60.0
DAY_SECONDS = 24 * 3600.0
WRONG_TRIES_PER_ADDRESS = 10  # within a minute
WRONG_TRIES_IN_ALL = 100  # an attacker may have a thousand addresses
REMEMBERED_ADDRESSES = 10_000


class Throttle:
    """Counts guesses. It knows no token; it is told which tries were right or wrong, and from where."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: Latest[str, deque[float]] = Latest(REMEMBERED_ADDRESSES)
        self._all_wrong: deque[float] = deque(maxlen=WRONG_TRIES_IN_ALL)
        self._right: Latest[str, float] = Latest(REMEMBERED_ADDRESSES)

    def has_enough(self, address: str) -> bool:
        """Return whether there were so many wrong tries lately that no more should be checked."""
        since = self._clock() - MINUTE_SECONDS
        own = sum(when > since for when in self._wrong.get(address, ()))
        return own >= WRONG_TRIES_PER_ADDRESS or sum(when > since for when in self._all_wrong) >= WRONG_TRIES_IN_ALL

    def is_known(self, address: str) -> bool:
        """Return whether a right token came from there within the last day."""
        return self._right.get(address, -DAY_SECONDS) > self._clock() - DAY_SECONDS

    def wrong(self, address: str) -> None:
        before = self._wrong.get(address, ())
        self._wrong[address] = deque([*before, self._clock()], maxlen=WRONG_TRIES_PER_ADDRESS)
        self._all_wrong.append(self._clock())

    def right(self, address: str) -> None:
        self._right[address] = self._clock()
