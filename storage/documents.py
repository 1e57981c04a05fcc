"""Keep a conversation's last document, so that a later question can name pages that were not looked at yet.

It goes with its conversation, with a picture of it that is removed for good, and where room is needed. Each function is
one step inside a transaction that its caller opened.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, delete, func, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.pictures.kept_document import KeptDocument
from core.pseudonym import pseudonym
from storage.schema import conversations, documents


async def keep(connection: AsyncConnection, conversation_id: str, person: str, document: KeptDocument) -> None:
    """Keep a document in place of the one before."""
    await drop(connection, conversation_id)
    values = {
        "conversation_id": conversation_id,
        "person": pseudonym(person),
        "image_ids": list(document.image_ids),
        "data": document.data,
    }
    await connection.execute(insert(documents).values(values))


async def find(
    connection: AsyncConnection, conversation_id: str, names: Collection[str] | None = None
) -> KeptDocument | None:
    """Return a conversation's document; with the pseudonyms of a person, only if that person sent it."""
    theirs = true() if names is None else documents.c.person.in_(names)
    row = (await connection.execute(select(documents).where(_of(conversation_id), theirs))).first()
    return None if row is None else KeptDocument(row.data, tuple(row.image_ids))


async def add_pages(connection: AsyncConnection, conversation_id: str, image_ids: Sequence[str]) -> None:
    """Note which pictures further pages of the document became."""
    known = await pages_of(connection, conversation_id)
    values = {"image_ids": list(dict.fromkeys([*known, *image_ids]))}
    await connection.execute(update(documents).where(_of(conversation_id)).values(values))


async def drop(connection: AsyncConnection, conversation_id: str) -> None:
    await connection.execute(delete(documents).where(_of(conversation_id)))


async def drop_with(connection: AsyncConnection, conversation_id: str, image_ids: Collection[str]) -> Sequence[str]:
    """Drop the document if one of these pictures is a page of it. Return the pictures of all its pages then."""
    pages = await pages_of(connection, conversation_id)
    if not set(image_ids).intersection(pages):
        return ()
    await drop(connection, conversation_id)
    return pages


async def move(connection: AsyncConnection, conversation_id: str, new_id: str) -> None:
    await connection.execute(update(documents).where(_of(conversation_id)).values(conversation_id=new_id))


async def size(connection: AsyncConnection, person: str | None) -> int:
    """Return the bytes of a person's documents, or of all."""
    query = select(func.sum(func.length(documents.c.data))).where(_from(person))
    return int((await connection.execute(query)).scalar() or 0)


async def drop_oldest(connection: AsyncConnection, wanted: int, person: str | None) -> int:
    """Drop documents of a person or of all, longest unused first. Return how many bytes were dropped."""
    query = (
        select(documents.c.conversation_id, func.length(documents.c.data).label("bytes"))
        .join(conversations, conversations.c.id == documents.c.conversation_id)
        .where(_from(person))
        .order_by(conversations.c.updated, conversations.c.id)
    )
    dropped = 0
    for row in (await connection.execute(query)).all():
        if dropped >= wanted:
            break
        await drop(connection, row.conversation_id)
        dropped += row.bytes
    return dropped


async def pages_of(connection: AsyncConnection, conversation_id: str) -> Sequence[str]:
    """Return the ids of the images that pages of a conversation's document became."""
    query = select(documents.c.image_ids).where(_of(conversation_id))
    return (await connection.execute(query)).scalar() or ()


def _of(conversation_id: str) -> ColumnElement[bool]:
    return documents.c.conversation_id == conversation_id


def _from(person: str | None) -> ColumnElement[bool]:
    return true() if person is None else documents.c.person == pseudonym(person)
