"""How often one address may do something: so many times in any minute."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable

MINUTE_S = 60.0
ADDRESSES = 10_000  # remembered at most; the one not seen for longest is forgotten first


class Throttle:
    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Seconds until the address may go on; 0 when it may now."""
        times = self._recent(address)
        return times[0] + MINUTE_S - self._clock() if len(times) >= self._per_minute else 0.0

    def count(self, address: str) -> None:
        self._recent(address).append(self._clock())

    def _recent(self, address: str) -> deque[float]:
        times = self._times.setdefault(address, deque())
        self._times.move_to_end(address)
        while len(self._times) > ADDRESSES:
            self._times.popitem(last=False)
        while times and times[0] <= self._clock() - MINUTE_S:
            times.popleft()
        return times
