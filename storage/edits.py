"""Take back the answers to edited messages, and to albums of which more came later or was edited.

Each function is one step inside a transaction that its caller opened.
"""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.revision import Revision, Shown
from core.storable import storable
from core.stored_message import StoredMessage, TornAlbum
from storage import files, messages, pictures
from storage.schema import messages as stored
from storage.schema import turns


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

    Return None if `words` were answered: what a person changed while the service was down may be known already. What
    was posted for it stays, to be written over. What was posted for others of its album it gets in its turn, by
    `rejoin`.
    """
    await connection.execute(update(stored).where(stored.c.id == row.id).values(digest=str(revision)))
    if words is not None and await _answers(connection, row.key, words):
        return None
    await supersede_turn(connection, row.key, revision)
    await connection.execute(update(stored).where(stored.c.id == row.id).values(finished=None, payload=payload))
    return await messages.unfinished_message(connection, row.id)


async def rejoin(
    connection: AsyncConnection, message: StoredMessage, revision: Revision, shown: Shown
) -> TornAlbum | None:
    """Supersede the answer to the other pieces of an album, of which `message` came later or was edited.

    What was posted for them is from then on posted for that one, to be written over. So is an answer to the message
    itself that was stored, and not finished, before the others came that `shown` names. Return None if nothing was
    posted for other pieces, or if they were forgotten.
    """
    if await _answers_in_part(connection, message, shown):
        await supersede_turn(connection, message.key, revision)
    album = stored.c.conversation_id == message.conversation_id, stored.c.album == message.group
    query = select(stored).where(*album, stored.c.id != message.id, stored.c.digest.is_not(None)).order_by(stored.c.id)
    others = {row.key: row.id for row in await connection.execute(query)}
    was_posted = await _take_over(connection, message, revision, others)
    torn = await _torn_album(connection, message, others)
    return torn if was_posted or torn.superseded_key else None


async def _take_over(
    connection: AsyncConnection, message: StoredMessage, revision: Revision, others: Mapping[str, int]
) -> bool:
    """Supersede the answer to `others` of an album, ids by key, and let what was posted for them be a message's.

    That they wait for their question stays said, unless the message is an edit: it may be that question. Return whether
    anything was posted for them.
    """
    posted_ids = [sent for id in others.values() for sent in await messages.posted_ids_of(connection, id)]
    query = select(turns.c.key).where(turns.c.key.in_(others), ~turns.c.replaced).order_by(turns.c.id.desc()).limit(1)
    answered = (await connection.execute(query)).scalar()
    if posted_ids and (answered is not None or revision.number):
        if answered is not None:
            await supersede_turn(connection, answered, revision)
        for id in others.values():
            await messages.record_posted(connection, id, ())
        own = await messages.posted_ids_of(connection, message.id)
        await messages.record_posted(connection, message.id, (*posted_ids, *own))
    return bool(posted_ids)


async def _answers_in_part(connection: AsyncConnection, message: StoredMessage, shown: Shown) -> bool:
    query = select(turns.c.id).where(turns.c.key == message.key, ~turns.c.replaced)
    if (await connection.execute(query)).first() is None:
        return False
    return not await files.known(connection, message.conversation_id) >= set(shown.files)


async def _torn_album(connection: AsyncConnection, message: StoredMessage, others: Collection[str]) -> TornAlbum:
    """Return what a message and the pieces with the `others` keys were asked before, if their answer is superseded."""
    begins = [Revision.key_of_any_replaced(key) for key in (*others, message.key)]
    keys = [turns.c.key.startswith(begin, autoescape=True) for begin in begins]
    query = select(turns.c.text, turns.c.key).where(turns.c.replaced, or_(*keys)).order_by(turns.c.id.desc())
    superseded = (await connection.execute(query)).all()
    words = next((row.text for row in superseded if not row.key.startswith(begins[-1])), "")
    posted_ids = await messages.posted_ids_of(connection, message.id)
    return TornAlbum(words, posted_ids, superseded[0].key if superseded else None)


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
