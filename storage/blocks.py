"""Who is not answered any more, by an admin's word."""

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import blocked


async def block(connection: AsyncConnection, person: str, now: float) -> bool:
    if await is_blocked(connection, person):
        return False
    await connection.execute(insert(blocked).values(person=person, created=now))
    return True


async def unblock(connection: AsyncConnection, person: str) -> bool:
    return (await connection.execute(delete(blocked).where(blocked.c.person == person))).rowcount > 0


async def try_out(connection: AsyncConnection) -> None:
    """Writes and takes back: a statement that changes no row never reaches the disk, not even a full one."""
    nobody = ""
    await block(connection, nobody, 0.0)
    await unblock(connection, nobody)


async def is_blocked(connection: AsyncConnection, person: str) -> bool:
    return (await connection.execute(select(blocked.c.person).where(blocked.c.person == person))).first() is not None
