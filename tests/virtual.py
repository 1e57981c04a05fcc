"""Provide a clock without waiting: when all tasks sleep, time jumps, so no figure depends on the machine."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class _Hasty(selectors.DefaultSelector):
    moment = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("everybody waits for something that never comes")
            self.moment += 1e-6 + timeout  # else a wait too short for a float would never end
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with its own time. It supports no threads and sockets, for which it would not wait."""

    def __init__(self) -> None:
        self._hasty = _Hasty()
        super().__init__(self._hasty)

    def time(self) -> float:
        return self._hasty.moment


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run until the work is done, as `asyncio.run` does, without real waiting."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
