"""Keep the text of answers that grow at one replica while somebody at another one reads along.

Each function is one step inside a transaction that its caller opened.
"""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from core.growing import GrowingAnswer
from storage.leases import database_time
from storage.schema import growing_answers as growing
from storage.schema import messages
from storage.upsert import upsert


async def follow(connection: AsyncConnection, key: str, seconds: float) -> GrowingAnswer:
    """Ask for an answer's text for so many seconds more, and return what there is of it."""
    until = database_time(connection) + seconds
    found = await _put(connection, {"key": key, "wanted_until": until, "text": ""}, {"wanted_until": until})
    query = select(messages.c.id).where(messages.c.key == key, messages.c.finished.is_(None))
    unfinished = (await connection.execute(query)).first() is not None
    return GrowingAnswer(found.text, found.outcome, unfinished, found.stage)


async def grow(
    connection: AsyncConnection,
    key: str,
    text: str,
    outcome: dict[str, Any] | None = None,
    stage: dict[str, Any] | None = None,
) -> None:
    """Replace an answer's text. Its outcome says how it ended, and its stage what comes before the next piece."""
    values = {"text": text, "outcome": outcome, "stage": stage}
    await _put(connection, {"key": key, "wanted_until": database_time(connection), **values}, values)


async def _put(connection: AsyncConnection, new: dict[str, Any], changed: dict[str, Any]) -> Any:
    statement = (
        upsert(connection, growing).values(new).on_conflict_do_update(index_elements=[growing.c.key], set_=changed)
    )
    return (await connection.execute(statement.returning(growing.c.text, growing.c.outcome, growing.c.stage))).one()
