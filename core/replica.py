"""Share the work among several copies of the service on one database: each conversation is worked on by one of them.

A replica claims a conversation when a question comes, keeps it for some minutes, since its caches know it, and gives it
back at the end. The replica that receives a message stores it; the holder looks for it twice a second.
"""

import asyncio
import logging
import math
import secrets
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from core import lease as leases
from core.errors import BotError
from core.lease import Lease, LeaseLost
from core.leases import LeaseTable, Listener, LiveReplica, tell
from core.uptime import uptime

log = logging.getLogger(__name__)
LEASE_SECONDS = 15.0  # after which the work of a dead replica is taken over
BEATS_PER_LEASE = 4
LOOK_SECONDS = 0.5
STICKY_SECONDS = 300.0  # how long an unused conversation is kept
PRESENCE = "replica:"  # how the name of the lease begins by which each replica shows that it lives
SLOT = "slot:"  # and by which it has one of a limited number of slots


@dataclass(slots=True, eq=False)
class _Held:
    lease: Lease
    used: float  # when work on it ended
    task: asyncio.Task[object] | None = None  # that works on it


class Replica:
    """One of several services on a database. Its `name` is known to none before it starts."""

    shared = True

    def __init__(
        self, table: LeaseTable, seconds: float = LEASE_SECONDS, sticky_seconds: float = STICKY_SECONDS
    ) -> None:
        self.name = f"{socket.gethostname()}-{secrets.token_hex(4)}"
        self._table = table
        self._seconds = seconds
        self._sticky_seconds = sticky_seconds
        self._held: dict[str, _Held] = {}
        self._slots: set[str] = set()  # that are taken here
        self._listeners: dict[str, Listener] = {}

    async def live(self) -> Sequence[LiveReplica]:
        return await self._table.live_replicas()

    async def take_slot(self, name: str, slots: int) -> str | None:
        for number in range(slots):
            slot = f"{SLOT}{name}:{number}"
            if slot in self._slots:
                continue
            self._slots.add(slot)
            try:
                (await self._take(slot, self._seconds_left)).used = math.inf  # until it is given back
            except BaseException as error:
                self._slots.discard(slot)
                if not isinstance(error, LeaseLost):
                    raise
            else:
                return slot
        return None

    async def has_slot(self, name: str, slots: int) -> bool:
        return await self._table.count_held([f"{SLOT}{name}:{number}" for number in range(slots)]) < slots

    async def give_slot_back(self, slot: str) -> None:
        self._slots.discard(slot)
        if (held := self._held.pop(slot, None)) is not None:
            with suppress(BotError):  # then it becomes free by itself
                await self._give_back({slot: held})

    def listen(self, adapter: str, listener: Listener) -> None:
        self._listeners[adapter] = listener

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        leases.set_current(None)  # this task may have been started by work on another name
        held = await self._take(name)
        task = held.task = asyncio.current_task()
        leases.set_current(held.lease)
        try:
            yield
        except asyncio.CancelledError:
            if held.lease.lost and task is not None and not task.uncancel():
                raise LeaseLost from None
            raise
        finally:
            held.task, held.used = None, uptime()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_beating())
            group.create_task(self._keep_looking())

    async def close(self) -> None:
        held, self._held = self._held, {}
        for each in held.values():
            each.lease.lost = True
        with suppress(BotError):  # then it becomes free by itself
            await self._give_back(held)

    @property
    def _seconds_left(self) -> float:
        """The seconds until all that this replica holds has run out, if it dies now.

        A slot must not outlast the conversation: who takes that over would find no slot for its question.
        """
        presence = self._held.get(PRESENCE + self.name)
        return max(0.0, presence.lease.until - uptime()) if presence else self._seconds

    async def _take(self, name: str, seconds: float | None = None) -> _Held:
        held = self._held.get(name)
        if held is None or uptime() >= held.lease.until:
            before, seconds = uptime(), self._seconds if seconds is None else seconds
            fence = await self._table.claim_lease(name, self.name, seconds)
            if fence is None:
                raise LeaseLost
            held = self._held[name] = _Held(Lease(name, self.name, fence, before + seconds), uptime())
        return held

    async def _keep_beating(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._seconds / BEATS_PER_LEASE):
                    (await self._take(PRESENCE + self.name)).used = math.inf
                    await self._beat()
                    await self._give_back(self._unused())
            except (BotError, TimeoutError) as error:
                log.warning("the database does not answer, so other replicas may take over: %s", error)
            self._lose([held for held in self._held.values() if uptime() >= held.lease.until])
            await asyncio.sleep(self._seconds / BEATS_PER_LEASE)

    async def _beat(self) -> None:
        if not (before := dict(self._held)):
            return
        began = uptime()
        fences = await self._table.beat_leases(self.name, self._seconds, list(before))
        for name, held in before.items():
            if fences.get(name) == held.lease.fence:
                held.lease.until = began + self._seconds
            elif self._held.get(name) is held:  # and was not given back meanwhile
                self._lose([held])

    def _lose(self, lost: Sequence[_Held]) -> None:
        """End the work on what another replica has, or may have by now."""
        for held in lost:
            log.warning("another replica takes over what this one was too slow for")
            held.lease.lost = True
            if self._held.get(held.lease.name) is held:
                del self._held[held.lease.name]
            if held.task is not None:
                held.task.cancel()

    def _unused(self) -> dict[str, _Held]:
        """Return the conversations without a question for long, and hold them no longer."""
        oldest = uptime() - self._sticky_seconds
        unused = {name: held for name, held in self._held.items() if held.task is None and held.used < oldest}
        for name in unused:
            del self._held[name]
        return unused

    async def _give_back(self, held: Mapping[str, _Held]) -> None:
        if held:
            await self._table.give_back_leases(self.name, {name: each.lease.fence for name, each in held.items()})

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not self._listeners:
                continue
            with suppress(BotError):  # the readiness says so
                tell(self._listeners, await self._table.open_messages(self.name))
