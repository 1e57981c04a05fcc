"""Count seconds with a clock that cannot be set."""

import time


def uptime() -> float:
    """Return seconds from a clock that cannot be set and that counts while the machine sleeps."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)  # Linux
    return time.monotonic() if boot is None else time.clock_gettime(boot)
