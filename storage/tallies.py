"""Keep counts by name. Each function is one step inside a transaction that its caller opened."""

from collections.abc import Callable

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.tally import Counts, Result
from storage.schema import tallies
from storage.upsert import upsert


async def change(
    connection: AsyncConnection, now: float, name: str, seconds: float, change: Callable[[Counts, float], Result]
) -> Result:
    """Change what is counted under a name, while others that would change it wait. See `core.tally`."""
    until = {"until": now + seconds}
    # An update locks the row until the transaction ends, and a row that others have just made, too.
    lock = upsert(connection, tallies).values(name=name, counts={}, **until)
    lock = lock.on_conflict_do_update(index_elements=[tallies.c.name], set_=until)
    counts: Counts = (await connection.execute(lock.returning(tallies.c.counts))).scalar() or {}
    result = change(counts, now)
    await connection.execute(update(tallies).where(tallies.c.name == name).values(counts=counts))
    return result


async def find(connection: AsyncConnection, name: str) -> Counts:
    """Return what is counted under a name."""
    counts: Counts | None = (await connection.execute(select(tallies.c.counts).where(tallies.c.name == name))).scalar()
    return counts or {}


async def expire(connection: AsyncConnection, moment: float) -> None:
    """Drop the counts that no limit looks at any more."""
    await connection.execute(delete(tallies).where(tallies.c.until < moment))
