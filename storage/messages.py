"""Read and write the inbox as rows. Each function is one step inside a transaction that its caller opened."""

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Case, ColumnElement, Select, case, delete, func, insert, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import EarlierQuestionsWait
from core.stop import Stop
from core.stored_message import StoredMessage
from core.wish import Wish
from storage.schema import deliveries, messages

MOST_ASKING = 200  # shown in a list, which has no more
ASKING = select(messages.c.conversation_id).where(messages.c.finished.is_(None))  # where a question waits


async def put(
    connection: AsyncConnection,
    now: float,
    adapter: str,
    key: str,
    conversation_id: str,
    payload: str,
    group: str | None = None,
    digest: str | None = None,
) -> StoredMessage | None:
    """Store a message. Return None if its key was seen before."""
    if await is_known(connection, key):
        return None
    values = {"adapter": adapter, "key": key, "conversation_id": conversation_id, "payload": payload, "album": group}
    values["digest"] = digest
    statement = insert(messages).values(created=now, **values).returning(messages)
    return _message((await connection.execute(statement)).one(), ())


async def conversation_of(connection: AsyncConnection, key: str) -> str | None:
    """Return the conversation that a message was put into, even if the message is finished."""
    query = select(messages.c.conversation_id).where(messages.c.key == key)
    found: str | None = (await connection.execute(query)).scalar()
    return found


async def digest_of(connection: AsyncConnection, key: str) -> str | None:
    """Return the digest that a message was stored with, even if the message is finished."""
    found: str | None = (await connection.execute(select(messages.c.digest).where(messages.c.key == key))).scalar()
    return found


async def is_known(connection: AsyncConnection, key: str) -> bool:
    return (await connection.execute(select(messages.c.id).where(messages.c.key == key))).first() is not None


async def unfinished(connection: AsyncConnection, adapter: str) -> list[StoredMessage]:
    """Return the unfinished messages, oldest first."""
    return await _with_posted_ids(connection, messages.c.adapter == adapter, messages.c.finished.is_(None))


async def asking(connection: AsyncConnection, adapter: str) -> list[tuple[str, str]]:
    """Return the conversation and the payload of the oldest unfinished messages, oldest first."""
    query = select(messages.c.conversation_id, messages.c.payload)
    query = query.where(messages.c.adapter == adapter, messages.c.finished.is_(None))
    rows = await connection.execute(query.order_by(messages.c.id).limit(MOST_ASKING))
    return [(row.conversation_id, row.payload) for row in rows]


async def unfinished_message(connection: AsyncConnection, message_id: int) -> StoredMessage:
    """Return a message with the ids of what was posted for it."""
    [message] = await _with_posted_ids(connection, messages.c.id == message_id)
    return message


async def unfinished_in(connection: AsyncConnection, adapter: str, conversation_id: str) -> list[StoredMessage]:
    """Return a conversation's unfinished messages, oldest first."""
    here = messages.c.adapter == adapter, messages.c.conversation_id == conversation_id, messages.c.finished.is_(None)
    return await _with_posted_ids(connection, *here)


async def check_waiting(connection: AsyncConnection, conversation_id: str, most: int) -> None:
    """Raise `EarlierQuestionsWait` if so many of a conversation's messages are unfinished."""
    here = messages.c.conversation_id == conversation_id, messages.c.finished.is_(None)
    count = (await connection.execute(select(func.count()).select_from(messages).where(*here))).scalar_one()
    if count >= most:
        raise EarlierQuestionsWait


async def record_posted(connection: AsyncConnection, message_id: int, posted_ids: Sequence[str]) -> None:
    """Store which platform messages carry an answer. Does nothing for a message that has expired."""
    await connection.execute(delete(deliveries).where(deliveries.c.message_id == message_id))
    if (await connection.execute(select(messages.c.id).where(messages.c.id == message_id))).first() is None:
        return
    for place, platform_id in enumerate(posted_ids):
        await connection.execute(insert(deliveries).values(message_id=message_id, place=place, sent=platform_id))


async def rewrite(connection: AsyncConnection, message_id: int, payload: str, digest: str | None = None) -> None:
    """Replace the payload of a message, unless it was finished just now, and the digest of it. Drop its wish."""
    changed = {
        "digest": digest,
        "wish": None,
        "payload": case((messages.c.finished.is_(None), payload), else_=messages.c.payload),
    }
    await connection.execute(update(messages).where(messages.c.id == message_id).values(changed))


async def finish(
    connection: AsyncConnection, now: float, message_ids: Sequence[int], digests: Collection[str] | None = None
) -> None:
    """Drop the payloads, unless they are held for a stranger. The keys are kept to recognize repeated deliveries.

    With `digests` messages whose digest is another one stay unfinished: they were edited meanwhile.
    """
    done = update(messages).where(messages.c.id.in_(message_ids))
    if digests is not None:
        done = done.where(or_(messages.c.digest.is_(None), messages.c.digest.in_(digests)))
    payload = case((messages.c.held_for.is_(None), null()), else_=messages.c.payload)
    await connection.execute(done.values(finished=now, payload=payload, wish=None))


async def wish(connection: AsyncConnection, key: str, wanted: Wish) -> bool:
    """Write down what is wanted of a message, for who works on it now or after a restart.

    One that was deleted stays so, also if its answer is stopped then. Return False if it is finished.
    """
    where = messages.c.key == key, messages.c.finished.is_(None)
    wanted_now = case((messages.c.wish == Wish.WITHDRAW, messages.c.wish), else_=str(wanted))
    return (await connection.execute(update(messages).where(*where).values(wish=wanted_now))).rowcount > 0


async def release(connection: AsyncConnection, adapter: str, person_id: str) -> list[StoredMessage]:
    """Make what was held for a person unfinished, and return it, oldest first. What was posted for it stays."""
    held = messages.c.adapter == adapter, messages.c.held_for == person_id, messages.c.payload.is_not(None)
    rows = (await connection.execute(select(messages).where(*held).order_by(messages.c.id))).all()
    ids = [row.id for row in rows]
    await connection.execute(delete(deliveries).where(deliveries.c.message_id.in_(ids)))
    await connection.execute(update(messages).where(messages.c.id.in_(ids)).values(finished=None, held_for=None))
    return [_message(row, ()) for row in rows]


async def let_go(connection: AsyncConnection, adapter: str, person_id: str) -> None:
    """Drop what was held for a person."""
    held = messages.c.adapter == adapter, messages.c.held_for == person_id
    await connection.execute(update(messages).where(*held).values(held_for=None, payload=_unless_finished()))


async def take_back(connection: AsyncConnection, message_id: int) -> None:
    """Delete a message and its key, so that sending it again is a new question."""
    await connection.execute(delete(messages).where(messages.c.id == message_id))


async def forget(connection: AsyncConnection, now: float, conversation_id: str, key: str | None) -> tuple[str, ...]:
    """Drop the conversation's unfinished messages, so that no later start takes them up.

    If the message `key` asked for this, only earlier ones are dropped, and it takes over what was sent for them. Later
    ones belong to the new conversation. Returns the platform's ids of what is now sent for that message.
    """
    where = messages.c.conversation_id == conversation_id, messages.c.finished.is_(None)
    rows = await connection.execute(select(messages.c.key, messages.c.id).where(*where).order_by(messages.c.id))
    found = {row.key: row.id for row in rows}
    command_id = found.pop(key, None) if key else None
    if command_id:
        found = {other: dropped for other, dropped in found.items() if dropped < command_id}
    posted_ids = await posted_ids_of(connection, command_id) if command_id else ()
    if command_id:
        for dropped in found.values():
            posted_ids += await posted_ids_of(connection, dropped)
            await record_posted(connection, dropped, ())
        await record_posted(connection, command_id, posted_ids)
    await finish(connection, now, list(found.values()))
    await close_edits(connection, conversation_id)
    held = messages.c.conversation_id == conversation_id, messages.c.held_for.is_not(None)
    await connection.execute(update(messages).where(*held).values(held_for=None, payload=_unless_finished()))
    return posted_ids


async def together(connection: AsyncConnection, key: str) -> list[int]:
    """Return the ids of a message and of the others of its album."""
    row = (await connection.execute(select(messages).where(messages.c.key == key))).first()
    if row is None or row.album is None:
        return [] if row is None else [row.id]
    album = messages.c.conversation_id == row.conversation_id, messages.c.album == row.album
    return list((await connection.execute(select(messages.c.id).where(*album))).scalars())


async def close_edits(connection: AsyncConnection, conversation_id: str) -> None:
    """Drop what is known of the content of finished messages, so that an edit of one is not answered."""
    done = messages.c.conversation_id == conversation_id, messages.c.finished.is_not(None)
    await connection.execute(update(messages).where(*done).values(digest=None))


def keys_of_posted(adapter: str, posted_id: str, conversation_id: str | None = None) -> Select[Any]:
    """Select the keys of the messages whose answer is in the platform's message `posted_id`.

    Give the conversation if the platform's message ids are unique only within a chat.
    """
    query = select(messages.c.key).join(deliveries).where(deliveries.c.sent == posted_id, messages.c.adapter == adapter)
    return query if conversation_id is None else query.where(messages.c.conversation_id == conversation_id)


async def is_posted(connection: AsyncConnection, adapter: str, posted_id: str) -> bool:
    """Return whether the platform's message `posted_id` carries an answer or a part of one."""
    return (await connection.execute(keys_of_posted(adapter, posted_id).limit(1))).first() is not None


async def move(connection: AsyncConnection, conversation_id: str, new_id: str) -> None:
    """Move finished messages. Unfinished ones are answered where they were asked, and the platform redirects that."""
    where = messages.c.conversation_id == conversation_id, messages.c.finished.is_not(None)
    await connection.execute(update(messages).where(*where).values(conversation_id=new_id))


async def expire(connection: AsyncConnection, moment: float) -> None:
    """Delete old finished messages. Unfinished ones stay, because they were acknowledged and not answered yet."""
    await connection.execute(delete(messages).where(messages.c.created < moment, messages.c.finished.is_not(None)))


async def expire_unanswered(connection: AsyncConnection, moment: float) -> int:
    """Delete old unfinished questions, left when their platform was switched off. Return how many."""
    old = delete(messages).where(messages.c.created < moment, messages.c.finished.is_(None))
    return (await connection.execute(old)).rowcount


async def unanswered(connection: AsyncConnection, moment: float) -> int:
    """Return how many questions from before `moment` are unfinished."""
    old = select(func.count()).select_from(messages).where(messages.c.created < moment, messages.c.finished.is_(None))
    return int((await connection.execute(old)).scalar_one())


async def posted_ids_of(connection: AsyncConnection, message_id: int) -> tuple[str, ...]:
    """Return the platform's ids of the messages that carry the answer to a message, in order."""
    query = select(deliveries.c.sent).where(deliveries.c.message_id == message_id).order_by(deliveries.c.place)
    return tuple((await connection.execute(query)).scalars())


async def _with_posted_ids(connection: AsyncConnection, *where: ColumnElement[bool]) -> list[StoredMessage]:
    """Return messages with what was posted for them, oldest first."""
    query = select(messages, deliveries.c.sent).outerjoin(deliveries).where(*where)
    rows = await connection.execute(query.order_by(messages.c.id, deliveries.c.place))
    found = [list(group) for _, group in groupby(rows, lambda row: row.id)]
    return [_message(group[0], tuple(row.sent for row in group if row.sent is not None)) for group in found]


def _message(row: Any, posted_ids: tuple[str, ...]) -> StoredMessage:
    return StoredMessage(
        row.id,
        row.adapter,
        row.key,
        row.conversation_id,
        row.payload,
        row.album,
        posted_ids,
        row.digest,
        withdrawn=row.wish == Wish.WITHDRAW,
        stop=Stop(row.wish == Wish.STOP),
    )


def _unless_finished() -> Case[Any]:
    """Keep the payload of a message that is still worked on."""
    return case((messages.c.finished.is_(None), messages.c.payload), else_=null())
