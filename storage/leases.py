"""Keep which replica works on what, so that no two do the same.

A replica holds a name until a moment that it moves on again and again. What one that died held becomes free by itself.
All times are the database's, because the clocks of replicas differ. Each function is one step inside a transaction that
its caller opened.
"""

from collections.abc import Collection, Mapping

from sqlalchemy import ColumnElement, Float, delete, func, literal_column, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.lease import Lease, LeaseLost
from core.leases import LiveReplica
from core.replica import PRESENCE, SLOT
from core.stored_message import OpenMessage
from storage.schema import growing_answers, leases, messages
from storage.upsert import upsert

NOW = {  # seconds since 1970, also later in a transaction that waited
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) AS double precision)",
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
}
FORGOTTEN_SECONDS = 3600.0  # after which no process can still believe that it holds something
UNREAD_SECONDS = 10.0  # that an answer is kept which nobody at another replica reads
MOST_OPEN = 1000  # messages found at once
MOST_REPLICAS = 100  # shown


async def claim(connection: AsyncConnection, name: str, owner: str, seconds: float) -> int | None:
    """Hold a name for some seconds and return its new fence, or None while another replica holds it."""
    now = database_time(connection)
    statement = upsert(connection, leases).values(name=name, owner=owner, fence=1, until=now + seconds)
    taken = {"owner": owner, "fence": leases.c.fence + 1, "until": now + seconds}
    is_free = or_(leases.c.until < now, leases.c.owner == owner)
    claimed = statement.on_conflict_do_update(index_elements=[leases.c.name], set_=taken, where=is_free)
    fence: int | None = (await connection.execute(claimed.returning(leases.c.fence))).scalar()
    return fence


async def beat(connection: AsyncConnection, owner: str, seconds: float, names: Collection[str]) -> dict[str, int]:
    """Hold these names for some seconds more, as far as a replica holds them. Return those with their fences.

    Drop answers that grew for readers at other replicas and that nobody reads any more, and names that have been free
    for long.
    """
    unread = growing_answers.c.wanted_until < database_time(connection) - UNREAD_SECONDS
    await connection.execute(delete(growing_answers).where(unread))
    await connection.execute(delete(leases).where(leases.c.until < database_time(connection) - FORGOTTEN_SECONDS))
    mine = leases.c.owner == owner, leases.c.name.in_(names)
    moved = update(leases).where(*mine).values(until=database_time(connection) + seconds)
    found = await connection.execute(moved.returning(leases.c.name, leases.c.fence))
    return {row.name: row.fence for row in found}


async def give_back(connection: AsyncConnection, owner: str, fences: Mapping[str, int]) -> None:
    """Let other replicas take these names at once."""
    held = tuple_(leases.c.name, leases.c.fence).in_(list(fences.items()))
    await connection.execute(delete(leases).where(leases.c.owner == owner, held))


async def count_held(connection: AsyncConnection, names: Collection[str]) -> int:
    """Return how many of these names a replica holds."""
    held = leases.c.name.in_(names), leases.c.until > database_time(connection)
    return (await connection.execute(select(func.count()).select_from(leases).where(*held))).scalar_one()


async def lock(connection: AsyncConnection, lease: Lease) -> None:
    """Keep others from claiming a lease until this transaction ends. Raises `LeaseLost` if one did before.

    To read the fence without a lock would not be enough: the lease may change hands before the transaction ends.
    """
    query = select(leases.c.owner, leases.c.fence).where(leases.c.name == lease.name).with_for_update()
    found = (await connection.execute(query)).first()
    if found is None or (found.owner, found.fence) != (lease.owner, lease.fence):
        raise LeaseLost


async def open_messages(connection: AsyncConnection, owner: str) -> list[OpenMessage]:
    """Return the oldest unfinished messages that this replica may work on: those that no other replica holds."""
    others = (leases.c.name == messages.c.conversation_id) & (leases.c.owner != owner)
    held = select(leases.c.name).where(others, leases.c.until > database_time(connection)).exists()
    read = growing_answers.c.key == messages.c.key, growing_answers.c.wanted_until > database_time(connection)
    followed = select(growing_answers.c.key).where(*read).exists()
    query = select(*(messages.c[name] for name in OpenMessage._fields[:-1]), followed)
    query = query.where(messages.c.finished.is_(None), ~held).order_by(messages.c.id).limit(MOST_OPEN)
    return [OpenMessage._make(row) for row in await connection.execute(query)]


async def live_replicas(connection: AsyncConnection) -> list[LiveReplica]:
    """Return the replicas that hold anything, with how much it is besides slots and what shows that they live."""
    held = func.count().filter(leases.c.name.not_like(f"{PRESENCE}%"), leases.c.name.not_like(f"{SLOT}%"))
    query = select(leases.c.owner, held).where(leases.c.until > database_time(connection))
    query = query.group_by(leases.c.owner).order_by(leases.c.owner).limit(MOST_REPLICAS)
    return [LiveReplica(*row) for row in await connection.execute(query)]


def database_time(connection: AsyncConnection) -> ColumnElement[float]:
    """Return the seconds since 1970 by the database's clock."""
    return literal_column(NOW[connection.dialect.name], Float)
