"""Block people whom an admin does not want to be answered."""

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.schema import blocked


async def block(connection: AsyncConnection, now: float, person: str) -> bool:
    """Block a person, given by a platform's id. Return False if they were blocked before."""
    if await is_blocked(connection, person):
        return False
    await connection.execute(insert(blocked).values(person=person, created=now))
    return True


async def unblock(connection: AsyncConnection, person: str) -> bool:
    """Unblock a person. Return False if they were not blocked."""
    return (await connection.execute(delete(blocked).where(blocked.c.person == person))).rowcount > 0


async def is_blocked(connection: AsyncConnection, person: str) -> bool:
    """Return whether a person is blocked."""
    return (await connection.execute(select(blocked.c.person).where(blocked.c.person == person))).first() is not None
