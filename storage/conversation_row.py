"""Find, make and change the row of a conversation."""

from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import ConversationGone
from core.storable import storable
from storage.schema import conversations

TITLE_CHARACTERS = 80


async def find(connection: AsyncConnection, conversation_id: str) -> Any:
    """Return a conversation's row, or None."""
    return (await connection.execute(select(conversations).where(conversations.c.id == conversation_id))).first()


async def locked(connection: AsyncConnection, conversation_id: str) -> Any:
    """Return a conversation's row, locked until the transaction ends. SQLite locks the whole file anyway."""
    query = select(conversations).where(conversations.c.id == conversation_id).with_for_update()
    return (await connection.execute(query)).first()


async def ensure(connection: AsyncConnection, conversation_id: str, now: float, begins: bool = True) -> Any:
    """Return a conversation's row, locked. One that is unknown `begins`, or else `ConversationGone` is raised."""
    if (row := await locked(connection, conversation_id)) is not None:
        return row
    if not begins:
        raise ConversationGone
    values = {"id": conversation_id, "title": "", "chapter": 0, "next_number": 1, "created": now, "updated": now}
    return (await connection.execute(insert(conversations).values(values).returning(conversations))).one()


async def touch(connection: AsyncConnection, conversation_id: str, now: float, **values: Any) -> None:
    """Change the row. The conversation was used now."""
    where = conversations.c.id == conversation_id
    await connection.execute(update(conversations).where(where).values(updated=now, **values))


def title_of(question: str) -> str:
    """Return how a conversation is named after its first question."""
    return storable(" ".join(question.split())[:TITLE_CHARACTERS])
