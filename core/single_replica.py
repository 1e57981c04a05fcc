"""Hold every lease, where there is one service only."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Protocol

from core.errors import StoreDown
from core.leases import Listener, LiveReplica, tell
from core.stored_message import OpenMessage

ON_ITS_WAY_SECONDS = 1.0  # more than a message needs from the disk into its queue


class Table(Protocol):
    """Where the messages are: `storage.store.Store`."""

    @property
    def doubt(self) -> asyncio.Event:
        """Set when something was written, and yet reported as failed."""
        ...

    async def open_messages(self, owner: str) -> list[OpenMessage]: ...


class SingleReplica:
    """The leases of the only service on a database, which holds everything.

    With a `table`, `run` looks for messages that are stored although that seemed to fail: when the platform sends them
    again they are known, so nobody would work on them before the next start.
    """

    shared = False
    name = ""

    def __init__(self, table: Table | None = None) -> None:
        self._table = table
        self._slots: Counter[str] = Counter()  # that are taken
        self._listeners: dict[str, Listener] = {}

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
        self._listeners[adapter] = listener

    async def run(self) -> None:
        if self._table is None:
            await asyncio.Event().wait()
            return
        while True:
            await self._table.doubt.wait()
            self._table.doubt.clear()
            try:
                await self._look(self._table)
            except StoreDown:
                self._table.doubt.set()
                await asyncio.sleep(ON_ITS_WAY_SECONDS)

    async def _look(self, table: Table) -> None:
        """Tell of messages that are open for a while. Those that are worked on, the listeners know."""
        before = {message.id for message in await table.open_messages(self.name)}
        await asyncio.sleep(ON_ITS_WAY_SECONDS)
        tell(self._listeners, [message for message in await table.open_messages(self.name) if message.id in before])

    async def close(self) -> None:
        pass
