"""How often somebody may guess the token: of one address, and of all together."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable

MINUTE_SECONDS = 60.0
DAY_SECONDS = 24 * 3600.0
TRIES_PER_ADDRESS = 10  # wrong ones within a minute
TRIES_IN_ALL = 100  # as many guesses come from a thousand addresses as from one
ADDRESSES = 10_000  # remembered at most; the one not seen for longest is forgotten first


class Throttle:
    """Knows no token: it is told which tries were right and which were wrong, and from where they came."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()
        self._all_wrong: deque[float] = deque(maxlen=TRIES_IN_ALL)
        self._right: OrderedDict[str, float] = OrderedDict()

    def has_enough(self, address: str) -> bool:
        """Return whether there were so many wrong tries lately that no further one should be looked at."""
        since = self._clock() - MINUTE_SECONDS
        own = sum(when > since for when in self._wrong.get(address, ()))
        return own >= TRIES_PER_ADDRESS or sum(when > since for when in self._all_wrong) >= TRIES_IN_ALL

    def is_known(self, address: str) -> bool:
        """Return whether a right token came from there within the last day."""
        return self._right.get(address, -DAY_SECONDS) > self._clock() - DAY_SECONDS

    def wrong(self, address: str) -> None:
        self._wrong.setdefault(address, deque(maxlen=TRIES_PER_ADDRESS)).append(self._clock())
        self._all_wrong.append(self._clock())
        _keep_latest(self._wrong, address)

    def right(self, address: str) -> None:
        self._right[address] = self._clock()
        _keep_latest(self._right, address)


def _keep_latest(known: "OrderedDict[str, float] | OrderedDict[str, deque[float]]", address: str) -> None:
    known.move_to_end(address)
    while len(known) > ADDRESSES:
        known.popitem(last=False)
