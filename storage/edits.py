"""Take back the answers to edited messages. Each function is one step inside a transaction that its caller opened."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.revision import Revision, Shown
from core.storable import storable
from core.stored_message import StoredMessage
from storage import files, messages, pictures
from storage.schema import deliveries, turns
from storage.schema import messages as stored


async def revise(
    connection: AsyncConnection,
    key: str,
    payload: str,
    revision: Revision,
    words: str | None = None,
    *,
    reopens: bool = True,
) -> tuple[bool, StoredMessage | None]:
    """Give a message its new words, unless those it has are as new. Return whether it is known.

    Whoever works on an unfinished one sees them, or the next start does. A finished one is reopened, and returned.
    """
    row = (await connection.execute(select(stored).where(stored.c.key == key).with_for_update())).first()
    if row is None:
        return False, None
    known = Revision.read(row.digest)
    if row.finished is not None:
        is_news = reopens and known is not None and revision.replaces(known)
        return True, await _reopen(connection, row, payload, revision, words) if is_news else None
    if known is None or revision.replaces(known):
        await messages.rewrite(connection, row.id, payload, str(revision))
    return True, None


async def _reopen(
    connection: AsyncConnection, row: Any, payload: str, revision: Revision, words: str | None
) -> StoredMessage | None:
    """Make a finished message unfinished with its new words, and supersede the answer to the old ones.

    Return None if `words` were answered: what a person changed while the service was down may be known already. Of an
    album the message that carries the answer is returned. What was posted for it stays, to be written over.
    """
    await connection.execute(update(stored).where(stored.c.id == row.id).values(digest=str(revision)))
    carrier = await _carrier(connection, row)
    if words is not None and await _answers(connection, carrier.key, words):
        return None
    await supersede_turn(connection, carrier.key, revision)
    values = {"finished": None, "payload": payload, "digest": str(revision)}
    await connection.execute(update(stored).where(stored.c.id == carrier.id).values(values))
    return await messages.unfinished_message(connection, carrier.id)


async def replace_shown(
    connection: AsyncConnection, message: StoredMessage, revision: Revision, words: str, shown: Shown
) -> tuple[str | None, Collection[str]]:
    """Supersede the answer to an edited message, unless it answers these words, about the files that it shows now.

    Return what `supersede_turn` returns, and the ids of images that went with files that the message shows no more.
    """
    replaced = await files.replaced(connection, message.conversation_id, shown)
    if not replaced and await _answers(connection, message.key, words):
        return None, ()
    superseded_key = await supersede_turn(connection, message.key, revision)
    return superseded_key, await files.drop_replaced(connection, message.conversation_id, replaced)


async def supersede_turn(connection: AsyncConnection, key: str, revision: Revision) -> str | None:
    """Take the answer to a message out of its conversation.

    It is kept under another key, so that the next answer gets its place. Its pictures wait for the new question.
    Return that key, also if an earlier edit of the message superseded the answer; None if there was none.
    """
    turn_id = (await connection.execute(select(turns.c.id).where(turns.c.key == key))).scalar()
    if turn_id is None:
        earlier = turns.c.replaced, turns.c.key.startswith(Revision.key_of_any_replaced(key), autoescape=True)
        query = select(turns.c.key).where(*earlier).order_by(turns.c.id.desc()).limit(1)
        return (await connection.execute(query)).scalar()
    superseded_key = revision.key_of_replaced(key)
    await connection.execute(delete(turns).where(turns.c.key == superseded_key))  # the same words a second time
    await connection.execute(update(turns).where(turns.c.id == turn_id).values(key=superseded_key, replaced=True))
    await pictures.mark_unasked(connection, turn_id)
    return superseded_key


async def _answers(connection: AsyncConnection, key: str, words: str) -> bool:
    where = turns.c.key == key, turns.c.text == storable(words)
    return (await connection.execute(select(turns.c.id).where(*where))).first() is not None


async def _carrier(connection: AsyncConnection, row: Any) -> Any:
    """Return the message of an album that carries the answer, else the message itself."""
    if row.album is None:
        return row
    album = stored.c.conversation_id == row.conversation_id, stored.c.album == row.album
    query = select(stored).join(deliveries).where(*album, stored.c.finished.is_not(None)).limit(1)
    return (await connection.execute(query)).first() or row
