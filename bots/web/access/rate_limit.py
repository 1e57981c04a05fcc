"""How often somebody may guess the token: of one address, and of all together."""

import time
from collections import deque
from collections.abc import Callable

from core.latest import Latest

MINUTE_SECONDS = 60.0
DAY_SECONDS = 24 * 3600.0
TRIES_PER_ADDRESS = 10  # wrong ones within a minute
TRIES_IN_ALL = 100  # as many guesses come from a thousand addresses as from one
ADDRESSES = 10_000  # remembered at most


class Throttle:
    """Knows no token: it is told which tries were right and which were wrong, and from where they came."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: Latest[str, deque[float]] = Latest(ADDRESSES)
        self._all_wrong: deque[float] = deque(maxlen=TRIES_IN_ALL)
        self._right: Latest[str, float] = Latest(ADDRESSES)

    def has_enough(self, address: str) -> bool:
        """Return whether there were so many wrong tries lately that no further one should be looked at."""
        since = self._clock() - MINUTE_SECONDS
        own = sum(when > since for when in self._wrong.get(address, ()))
        return own >= TRIES_PER_ADDRESS or sum(when > since for when in self._all_wrong) >= TRIES_IN_ALL

    def is_known(self, address: str) -> bool:
        """Return whether a right token came from there within the last day."""
        return self._right.get(address, -DAY_SECONDS) > self._clock() - DAY_SECONDS

    def wrong(self, address: str) -> None:
        before = self._wrong.get(address, ())
        self._wrong[address] = deque([*before, self._clock()], maxlen=TRIES_PER_ADDRESS)
        self._all_wrong.append(self._clock())

    def right(self, address: str) -> None:
        self._right[address] = self._clock()
