"""Remember sessions of the web page that were ended early. Others are known by their signature."""

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.schema import ended_sessions


async def end(connection: AsyncConnection, now: float, session: str, until: float) -> None:
    """Remember that a session was ended, at least until `until`, in seconds since 1970.

    Drops sessions that are too old to be used.
    """
    await connection.execute(delete(ended_sessions).where(ended_sessions.c.until < now))
    if not await is_ended(connection, session):
        await connection.execute(insert(ended_sessions).values(session=session, until=until))


async def is_ended(connection: AsyncConnection, session: str) -> bool:
    """Return whether a session was ended early."""
    query = select(ended_sessions.c.session).where(ended_sessions.c.session == session)
    return (await connection.execute(query)).first() is not None
