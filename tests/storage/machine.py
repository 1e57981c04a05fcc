"""Simulate a machine whose clock can be moved, and where time passes on demand."""

import time

from storage.clock import Clock


class Machine:
    def __init__(self) -> None:
        self.wall_time = time.time()  # what its clock says, in seconds since 1970
        self.uptime = 1000.0

    def passes(self, seconds: float) -> None:
        self.wall_time += seconds
        self.uptime += seconds

    def moves_its_clock(self, seconds: float) -> None:
        self.wall_time += seconds

    def clock(self) -> Clock:
        """Return the clock as a process reads it that has just started."""
        return Clock(lambda: self.wall_time, lambda: self.uptime)
