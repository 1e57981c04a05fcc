"""Keep the links that open one conversation for reading. Each function is one step inside a transaction."""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.schema import conversations


async def share(connection: AsyncConnection, conversation_id: str, link: str) -> str:
    """Return the link of a conversation: the one that it has, or else this one."""
    here = conversations.c.id == conversation_id
    await connection.execute(update(conversations).where(here, conversations.c.link.is_(None)).values(link=link))
    known = (await connection.execute(select(conversations.c.link).where(here))).scalar()
    return str(known or link)


async def unshare(connection: AsyncConnection, conversation_id: str) -> None:
    """Take the link back. It never opens anything again."""
    await connection.execute(update(conversations).where(conversations.c.id == conversation_id).values(link=None))


async def shared(connection: AsyncConnection, link: str) -> str | None:
    """Return the id of the conversation behind a link."""
    found: str | None = (
        await connection.execute(select(conversations.c.id).where(conversations.c.link == link))
    ).scalar()
    return found
