"""Wait with growing pauses between attempts at something that fails. The same on every platform."""

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0


class Backoff:
    """Doubles the pause with each failure in a row, up to half a minute."""

    def __init__(self) -> None:
        self.failures = 0  # in a row

    def next_pause(self) -> float:
        """Count one more failure; return the seconds to wait before the next attempt."""
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * float(2 ** min(self.failures, 10)))
        self.failures += 1
        return pause

    def reset(self) -> None:
        """Start again with a short pause, after a success."""
        self.failures = 0
