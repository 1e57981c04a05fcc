"""Run `python -m bots …` of the checkout on PYTHONPATH, and count its SQL statements in a file of eight bytes.

`python -P tests/chaos/counted.py FILE run --config …`. It imports nothing of the checkout, which may be an older one.
"""

import mmap
import runpy
import struct
import sys

from sqlalchemy import Engine, event


def _count_in(path: str) -> None:
    with open(path, "r+b") as file:
        page = mmap.mmap(file.fileno(), 8)
    count = 0

    def hear(*_: object) -> None:
        nonlocal count
        count += 1
        page[:] = struct.pack("q", count)

    event.listen(Engine, "before_cursor_execute", hear)


if __name__ == "__main__":
    _count_in(sys.argv[1])
    sys.argv = ["bots", *sys.argv[2:]]
    runpy.run_module("bots", run_name="__main__", alter_sys=True)
