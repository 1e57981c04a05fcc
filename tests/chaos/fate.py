"""What is different in a life that the harness looks after: when it dies of itself, and what time it is there."""

import mmap
import os
import signal
import struct
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Pool, event

MOMENTS = ("before a commit", "after a commit")


def meet(moment: str | None = None, writes: int = 0, clock: str | None = None) -> None:
    """Die of kill -9 before or after a number of the database's commits; believe the clock in that file."""
    if clock:
        _follow(Path(clock))
    if moment:
        _die(moment, writes)


def _die(moment: str, writes: int) -> None:
    left = writes

    def count() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(connection: Connection) -> None:
        if connection.get_execution_options().get("begin"):
            return  # it only read
        connection.info["wrote"] = True
        if moment == MOMENTS[0]:
            count()

    def after(_: Any, record: Any) -> None:
        """The commit is on disk, and nobody has been told of it yet."""
        if record and record.info.pop("wrote", False) and moment == MOMENTS[1]:
            count()

    event.listen(Engine, "commit", before)
    event.listen(Pool, "checkin", after)


def _follow(path: Path) -> None:
    """`time.time` is off by the seconds that the file holds, which may change at any moment."""
    with path.open("rb") as file:
        page = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
    real = time.time
    time.time = lambda: real() + float(struct.unpack("d", page)[0])


def set_clock(path: Path, seconds: float) -> None:
    """From the harness's side; in place, because lives look at the very file."""
    if not path.exists():
        path.write_bytes(bytes(8))
    with path.open("r+b") as file:
        file.write(struct.pack("d", seconds))
