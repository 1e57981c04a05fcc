"""Lets the event loop go before the model, so that platforms are told in time that their messages arrived.

A message is acknowledged once it is on disk, which takes a dozen hops between threads. At each the loop would wait for
Python's lock until the model's thread gives it up (5 ms by default), and on a full machine for a core as well.
"""

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

SWITCH_S = 0.0005  # how long a thread may keep Python's lock while another waits for it
NICE = 5  # Linux: the weight of a model's thread beside one of ours becomes a third
TASKS = Path("/proc/self/task")


def threads() -> frozenset[int]:
    """The kernel's ids of this process's threads; none where the system does not tell."""
    return frozenset(int(task.name) for task in TASKS.iterdir()) if TASKS.is_dir() else frozenset()


def step_back(ours: frozenset[int]) -> None:
    """All threads but `ours`, and those that they start later, let ours go first; other processes gain nothing where
    the machine has cores to spare."""
    sys.setswitchinterval(SWITCH_S)
    for thread in threads() - ours - {threading.get_native_id()}:
        with suppress(OSError):  # it has ended meanwhile
            os.setpriority(os.PRIO_PROCESS, thread, NICE)
