"""Turn functions on a connection into a store's methods, so that an operation is declared where it is written.

`load = reading(conversations.load)` in a class is a method with the function's own arguments, result and docstring, but
without the connection. Every method raises `StoreDown` when the database fails.
"""

from collections.abc import Awaitable, Callable, Collection, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from core import lease
from storage import leases
from storage.clock import Clock
from storage.database import Database, Transaction

P = ParamSpec("P")
Result = TypeVar("Result")
DatedWork = Callable[Concatenate[AsyncConnection, float, P], Awaitable[Result]]  # gets the current time


class ComputedCache(Protocol):
    """The cache of what was computed from conversations and pictures. It must not outlive them."""

    def forget(self, conversation_id: str | None, image_ids: Collection[str]) -> None:
        """Forget a removed conversation, if one is given, and images that no conversation shows any more."""
        ...

    def keep_only(self, conversation_ids: Collection[str], image_ids: Collection[str]) -> None:
        """Keep only results of these conversations and images, which are all that exist."""
        ...


class OpenDatabase:
    """An open database, and what its operations also need."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.clock = clock
        self.computed: ComputedCache | None = None

    async def write(self, work: Transaction[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Write like `Database.write`, and only while this task's lease, if it has one, is no other replica's.

        Raises `LeaseLost`.
        """
        if (held := lease.current()) is None:
            return await self.database.write(work, *args, **kwargs)

        async def fenced(connection: AsyncConnection) -> Result:
            await leases.lock(connection, held)
            return await work(connection, *args, **kwargs)

        return await self.database.write(fenced)

    async def removed(self, image_ids: Collection[str], conversation_id: str | None = None) -> None:
        """Leave no trace of images that no conversation shows any more, and of a removed conversation."""
        self.forget_computed(image_ids, conversation_id)
        await self.database.tidy()

    async def close(self) -> None:
        await self.database.close()

    def forget_computed(self, image_ids: Collection[str], conversation_id: str | None = None) -> None:
        if self.computed:
            self.computed.forget(conversation_id, image_ids)


Method = Callable[Concatenate[OpenDatabase, P], Coroutine[Any, Any, Result]]


def reading(work: Transaction[P, Result]) -> Method[P, Result]:
    """Make a method that reads one consistent state of the database."""

    @wraps(work)
    async def method(opened: OpenDatabase, /, *args: P.args, **kwargs: P.kwargs) -> Result:
        return await opened.database.read(work, *args, **kwargs)

    return method


def writing(work: Transaction[P, Result]) -> Method[P, Result]:
    """Make a method that writes in one transaction: all of it is on disk when it returns, or nothing of it."""

    @wraps(work)
    async def method(opened: OpenDatabase, /, *args: P.args, **kwargs: P.kwargs) -> Result:
        return await opened.write(work, *args, **kwargs)

    return method


def single(work: Transaction[P, Result]) -> Method[P, Result]:
    """Make a method of work whose statements may each stand alone, and that needs no lease."""

    @wraps(work)
    async def method(opened: OpenDatabase, /, *args: P.args, **kwargs: P.kwargs) -> Result:
        return await opened.database.run_single(work, *args, **kwargs)

    return method


def writing_dated(work: DatedWork[P, Result]) -> Method[P, Result]:
    """Make a method like `writing`, for work that dates what it writes."""

    @wraps(work)
    async def method(opened: OpenDatabase, /, *args: P.args, **kwargs: P.kwargs) -> Result:
        return await opened.write(work, opened.clock.now(), *args, **kwargs)

    return method


def writing_urgent(work: DatedWork[P, Result]) -> Method[P, Result]:
    """Make a method like `writing_dated` that goes before all ordinary writes, together with other urgent ones."""

    @wraps(work)
    async def method(opened: OpenDatabase, /, *args: P.args, **kwargs: P.kwargs) -> Result:
        return await opened.database.write_urgent(work, opened.clock.now(), *args, **kwargs)

    return method


def removing(work: Transaction[P, Collection[str] | None]) -> Method[P, bool]:
    """Make a method like `writing`, for work that returns the ids of images that no conversation shows any more.

    The method returns False if there was nothing to remove, that is, if the work returned None.
    """

    @wraps(work)
    async def method(opened: OpenDatabase, /, *args: P.args, **kwargs: P.kwargs) -> bool:
        image_ids = await opened.write(work, *args, **kwargs)
        if image_ids is not None:
            await opened.removed(image_ids)
        return image_ids is not None

    return method
