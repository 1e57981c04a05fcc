"""Keep a conversation's last document, so that a later question can name pages that were not looked at yet.

It goes with its conversation, with a picture of it that is removed for good, and where room is needed. Each function is
one step inside a transaction that its caller opened.
"""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import ColumnElement, delete, func, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.pictures.kept_document import DocumentOutline, KeptDocument
from core.pseudonym import pseudonym
from storage.schema import conversations, document_pages, documents


async def keep(connection: AsyncConnection, conversation_id: str, person: str, document: KeptDocument) -> None:
    """Keep a document in place of the one before, if it has any data."""
    await drop(connection, conversation_id)
    if not document.data:
        return
    both = {"conversation_id": conversation_id, "image_ids": list(document.image_ids)}
    file = both | {"person": pseudonym(person), "data": document.data}
    pages = both | {"pages": list(document.pages), "page_count": document.page_count, "digest": document.digest}
    await connection.execute(insert(documents).values(file))
    await connection.execute(insert(document_pages).values(pages))


async def find(
    connection: AsyncConnection, conversation_id: str, names: Collection[str] | None = None
) -> KeptDocument | None:
    """Return a conversation's document; with the pseudonyms of a person, only if that person sent it."""
    theirs = true() if names is None else documents.c.person.in_(names)
    query = select(documents.c.image_ids, documents.c.data).where(_of(conversation_id), theirs)
    if (file := (await connection.execute(query)).first()) is None:
        return None
    row = (await connection.execute(select(document_pages).where(_pages_of(conversation_id)))).first()
    if row is None:  # a version before kept it
        return KeptDocument(file.data, tuple(file.image_ids))
    return KeptDocument(file.data, tuple(row.image_ids), tuple(row.pages), row.page_count, row.digest)


async def outline(connection: AsyncConnection, conversation_id: str) -> DocumentOutline | None:
    """Return a conversation's document without its data; None too for one that a version before kept."""
    row = (await connection.execute(select(document_pages).where(_pages_of(conversation_id)))).first()
    if row is None or not row.digest:
        return None
    return DocumentOutline(row.digest, row.page_count, dict(zip(row.pages, row.image_ids, strict=True)))


async def add_pages(connection: AsyncConnection, conversation_id: str, digest: str, images: Mapping[int, str]) -> None:
    """Note which pictures further pages of the document became, unless another one took its place."""
    here = _pages_of(conversation_id)
    row = (await connection.execute(select(document_pages).where(here))).first()
    if row is None and not digest:  # a version before kept it
        image_ids = list(dict.fromkeys([*await pages_of(connection, conversation_id), *images.values()]))
        await connection.execute(update(documents).where(_of(conversation_id)).values(image_ids=image_ids))
    if row is None or row.digest != digest:
        return
    pairs = dict.fromkeys([*zip(row.pages, row.image_ids, strict=True), *images.items()])
    values = {"pages": [page for page, _ in pairs], "image_ids": [image_id for _, image_id in pairs]}
    await connection.execute(update(document_pages).where(here).values(values))


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
    query = select(document_pages.c.image_ids).where(_pages_of(conversation_id))
    before = select(documents.c.image_ids).where(_of(conversation_id))
    found = (await connection.execute(query)).scalar()
    return found if found is not None else (await connection.execute(before)).scalar() or ()


def _of(conversation_id: str) -> ColumnElement[bool]:
    return documents.c.conversation_id == conversation_id


def _pages_of(conversation_id: str) -> ColumnElement[bool]:
    return document_pages.c.conversation_id == conversation_id


def _from(person: str | None) -> ColumnElement[bool]:
    return true() if person is None else documents.c.person == pseudonym(person)
