"""What is different in a life that the harness looks after: when it dies of itself, what time it is, what is wrong."""

import asyncio
import mmap
import os
import signal
import struct
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Pool, event
from sqlalchemy.exc import PendingRollbackError

from tests.chaos.mutant import HELD
from tests.chaos.mutants import MUTANTS

MOMENTS = ("before a commit", "after a commit")
ONCE = "alembic_version"  # written when the database is made, before anybody asks
CHANGING = ("INSERT", "UPDATE", "DELETE")  # how the name of a commit begins


def meet(
    moment: str | None = None,
    writes: int = 0,
    step: str | None = None,
    clock: str | None = None,
    diary: str = "",
    mutant: str | None = None,
    held: bool = False,
) -> None:
    """Die of kill -9 before or after a number of the database's commits; believe the clock in that file; be a mutant;
    with `held` write answers, and end none before one is stopped, so that a kill or a stop surely comes before.

    A commit is named by its first change, such as "INSERT turns"; with `step` only those with that name count. The
    `diary` is a file that gets the names of those that were seen, and of the one that this life died beside.
    """
    signal.signal(signal.SIGUSR1, _tell_tasks)
    if mutant:
        MUTANTS[mutant].switch_on()
    if held:
        HELD.switch_on()
    if clock:
        _follow(Path(clock))
    if diary:
        _die(moment, writes, step, Path(diary))


def _tell_tasks(*_: object) -> None:
    """Write down what each task waits for: whoever looks at a service that hangs wants to know."""
    with suppress(RuntimeError):  # no loop runs yet
        for task in asyncio.all_tasks():
            task.print_stack(limit=8)


def _die(moment: str | None, writes: int, step: str | None, diary: Path) -> None:
    left, seen = writes, set[str]()

    def note(line: str) -> None:
        with suppress(OSError), diary.open("a", encoding="utf-8") as file:  # the disk may be full
            file.write(f"{line}\n")

    def count(name: str) -> None:
        nonlocal left
        left -= step is None or step == name
        if left <= 0 and step in (None, name) and moment:
            note(f"died {moment.split()[0]} {name}")
            os.kill(os.getpid(), signal.SIGKILL)

    def changes(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        words = statement.replace('"', " ").split()
        if words[0] not in CHANGING or "change" in connection.info:
            return
        table = words[1] if words[0] == "UPDATE" else words[2]
        if table != ONCE:
            connection.info["change"] = f"{words[0]} {table}"

    def forget(connection: Connection) -> None:
        with suppress(PendingRollbackError):  # the server is gone, and what was noted with the connection
            connection.info.pop("change", None)

    def before(connection: Connection) -> None:
        if connection.get_execution_options().get("begin"):
            return  # it only read
        if (name := connection.info.pop("change", None)) is None:
            return
        connection.info["wrote"] = name
        if name not in seen:
            seen.add(name)
            note(f"saw {name}")
        if moment == MOMENTS[0]:
            count(name)

    def after(_: Any, record: Any) -> None:
        """The commit is on disk, and nobody has been told of it yet."""
        if record and (name := record.info.pop("wrote", None)) and moment == MOMENTS[1]:
            count(name)

    event.listen(Engine, "before_cursor_execute", changes)
    event.listen(Engine, "rollback", forget)
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
