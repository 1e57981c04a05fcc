"""Hold every lease, where there is one service only."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext

from core.leases import Listener, LiveReplica


class SingleReplica:
    """The leases of the only service on a database, which holds everything."""

    shared = False
    name = ""

    def __init__(self) -> None:
        self._slots: Counter[str] = Counter()  # that are taken

    async def live(self) -> Sequence[LiveReplica]:
        return ()

    def hold(self, name: str) -> AbstractAsyncContextManager[object]:
        return nullcontext()

    async def take_slot(self, name: str, slots: int) -> str | None:
        if self._slots[name] >= slots:
            return None
        self._slots[name] += 1
        return name

    async def has_slot(self, name: str, slots: int) -> bool:
        return self._slots[name] < slots

    async def give_slot_back(self, slot: str) -> None:
        self._slots -= Counter([slot])

    def listen(self, adapter: str, listener: Listener) -> None:
        pass

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        pass
