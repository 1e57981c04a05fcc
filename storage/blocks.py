"""Who is not answered any more, by an admin's word."""

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.schema import blocked


async def block(connection: AsyncConnection, now: float, person: str) -> bool:
    """`person` is a platform's id of somebody; False when they were blocked before."""
    if await is_blocked(connection, person):
        return False
    await connection.execute(insert(blocked).values(person=person, created=now))
    return True


async def unblock(connection: AsyncConnection, person: str) -> bool:
    """False when they were not blocked."""
    return (await connection.execute(delete(blocked).where(blocked.c.person == person))).rowcount > 0


async def is_blocked(connection: AsyncConnection, person: str) -> bool:
    """Whether somebody is not answered any more."""
    return (await connection.execute(select(blocked.c.person).where(blocked.c.person == person))).first() is not None
