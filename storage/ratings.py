"""Store what people think of answers."""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.conversation import Turn
from storage import images
from storage.messages import keys_of_posted
from storage.schema import messages, turns
from storage.turns import of_rows


async def rate(connection: AsyncConnection, key: str, rating: int) -> bool:
    """Rate a turn: 1 is a thumb up, -1 down, 0 removes the rating. Return False if no turn was saved under `key`."""
    result = await connection.execute(update(turns).where(turns.c.key == key).values(rating=rating or None))
    return result.rowcount > 0


async def rate_posted(
    connection: AsyncConnection, adapter: str, posted_id: str, rating: int, conversation_id: str | None = None
) -> bool:
    """Rate the turn whose answer is in the platform's message `posted_id`, as `rate` does."""
    query = keys_of_posted(adapter, posted_id, conversation_id).order_by(messages.c.id.desc()).limit(1)
    key = (await connection.execute(query)).scalar()
    return key is not None and await rate(connection, key, rating)


async def rated(connection: AsyncConnection) -> list[Turn]:
    """Return every rated turn, oldest first."""
    rows = (await connection.execute(select(turns).where(turns.c.rating.is_not(None)).order_by(turns.c.id))).all()
    return await of_rows(connection, rows, images.SHOWN)
