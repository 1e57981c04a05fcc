"""How long answers took: a histogram for monitoring, and the times of one answer."""

import bisect
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

BOUNDS_SECONDS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)


@dataclass(slots=True)
class Histogram:
    """Counts durations by upper bound; the last count is of those above all bounds."""

    total_s: float = 0.0
    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_SECONDS) + 1))

    def observe(self, seconds: float) -> None:
        self.counts[bisect.bisect_left(BOUNDS_SECONDS, seconds)] += 1
        self.total_s += seconds

    def buckets(self) -> Iterator[tuple[str, float]]:
        """Return how many were not above each bound, as Prometheus counts them."""
        return zip([*map(str, BOUNDS_SECONDS), "+Inf"], map(float, accumulate(self.counts)), strict=True)


@dataclass(slots=True)
class Stopwatch:
    """Of one question. `arrived` is when all of it was here, by `time.monotonic`; `begun` when it was its turn."""

    arrived: float
    begun: float = field(default_factory=time.monotonic)
    first_token: float | None = None

    def saw_token(self) -> None:
        if self.first_token is None:
            self.first_token = time.monotonic()

    def durations(self, queue_s: float) -> dict[str, float]:
        """Return what is measured by now, in seconds; in the engine it waited for `queue_s`."""
        waited = self.begun - self.arrived
        found = {"queue_wait": max(0.0, waited) + queue_s, "answer": time.monotonic() - self.arrived}
        return found | ({"first_token": self.first_token - self.arrived} if self.first_token is not None else {})
