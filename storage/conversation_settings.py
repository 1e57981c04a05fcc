"""Read and write the settings of a conversation."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from core.settings import ConversationSettings, settings_of
from storage.conversation_row import ensure, touch
from storage.schema import conversations


async def find(connection: AsyncConnection, conversation_id: str) -> ConversationSettings:
    """Return the settings of a conversation; one that is unknown has the defaults."""
    query = select(conversations.c.settings).where(conversations.c.id == conversation_id)
    return settings_of((await connection.execute(query)).scalar())


async def change(
    connection: AsyncConnection,
    now: float,
    conversation_id: str,
    changed: ConversationSettings,
    *,
    begins: bool = True,
) -> None:
    """Store the settings of a conversation. They stay when it is restarted, and go when it is forgotten.

    Unless they may be what a conversation `begins` with, raises `ConversationGone` if there is none.
    """
    await ensure(connection, conversation_id, now, begins)
    await touch(connection, conversation_id, now, settings=changed.stored() or None)
