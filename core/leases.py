"""Define who may work on what, where several replicas share a database."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from core.stored_message import OpenMessage


class LiveReplica(NamedTuple):
    """A service that lives, or did a lease ago. `leases` is how many conversations and bots it holds."""

    name: str
    leases: int


Listener = Callable[[Sequence[OpenMessage]], None]


def tell(listeners: Mapping[str, Listener], messages: Sequence[OpenMessage]) -> None:
    """Tell each platform that listens, by its name, of its own messages."""
    for adapter, listener in listeners.items():
        if own := [message for message in messages if message.adapter == adapter]:
            listener(own)


class LeaseTable(Protocol):
    """What replicas share: `storage.store.Store`."""

    async def claim_lease(self, name: str, owner: str, seconds: float) -> int | None: ...

    async def beat_leases(self, owner: str, seconds: float, names: Collection[str]) -> dict[str, int]: ...

    async def give_back_leases(self, owner: str, fences: Mapping[str, int]) -> None: ...

    async def count_held(self, names: Collection[str]) -> int: ...

    async def open_messages(self, owner: str) -> list[OpenMessage]: ...

    async def live_replicas(self) -> list[LiveReplica]: ...


class Leases(Protocol):
    """Who may work on what: `Replica`, or `SingleReplica`."""

    @property
    def shared(self) -> bool:
        """Whether other replicas store and finish messages, too."""
        ...

    @property
    def name(self) -> str:
        """The name of this replica. It is "" where there is one service only."""
        ...

    async def live(self) -> Sequence[LiveReplica]:
        """Return all replicas that live, this one among them, or none where there is one service only.

        Raises `StoreDown`.
        """
        ...

    def hold(self, name: str) -> AbstractAsyncContextManager[object]:
        """Hold a name within the block. Raises `LeaseLost` if another replica holds it, or takes it meanwhile."""
        ...

    async def take_slot(self, name: str, slots: int) -> str | None:
        """Take one of so many slots that all replicas have together. Return its name, or None if none is free."""
        ...

    async def has_slot(self, name: str, slots: int) -> bool:
        """Return whether one of these slots is free, without taking it."""
        ...

    async def give_slot_back(self, slot: str) -> None: ...

    def listen(self, adapter: str, listener: Listener) -> None:
        """Tell a platform of its open messages, again and again, until they are finished."""
        ...

    async def run(self) -> None:
        """Keep what is held, and look for open messages, until cancelled."""
        ...

    async def close(self) -> None:
        """Give everything back. Call this when no work is left."""
        ...
