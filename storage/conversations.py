"""Read and write conversations as rows. Each function is one step inside a transaction that its caller opened."""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, and_, delete, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.conversation import Conversation, Turn
from core.image import Image
from core.settings import settings_of
from storage import documents, images, pictures
from storage.conversation_row import ensure, find, locked, title_of, touch
from storage.messages import ASKING
from storage.schema import conversations, turns
from storage.turns import of_rows

TURNS_AT_ONCE = 256  # are read, which takes about 10 ms; then whatever else waits gets its turn


async def load(connection: AsyncConnection, conversation_id: str) -> Conversation:
    """Return the conversation since its last restart.

    Its images come without `original`, since whole photos would be read for every question; `images.find` reads it.
    """
    return await _load(connection, conversation_id, images.SHOWN)


async def _load(connection: AsyncConnection, conversation_id: str, columns: Sequence[Column[Any]]) -> Conversation:
    row = await find(connection, conversation_id)
    if row is None:
        return Conversation(conversation_id)
    here = and_(turns.c.conversation_id == conversation_id, turns.c.chapter == row.chapter)
    found: list[Turn] = []
    known: dict[str, Image] = {}
    async for rows in _pages(connection, and_(here, ~turns.c.replaced)):
        found += await of_rows(connection, rows, columns, known)
    waiting = await pictures.waiting(connection, conversation_id, row.chapter, columns)
    return Conversation(conversation_id, tuple(found), waiting, row.next_number, settings=settings_of(row.settings))


async def _pages(connection: AsyncConnection, where: ColumnElement[bool]) -> AsyncIterator[Sequence[Any]]:
    """Yield the turns of one chapter in their order, a few at a time: all of 15,000 would stop everything else."""
    place = tuple_(turns.c.position, turns.c.id)
    query = select(turns).where(where).order_by(turns.c.position, turns.c.id).limit(TURNS_AT_ONCE)
    rows = (await connection.execute(query)).all()
    yield rows
    while len(rows) == TURNS_AT_ONCE:
        later = query.where(place > tuple_(rows[-1].position, rows[-1].id))
        rows = (await connection.execute(later)).all()
        yield rows


async def outline(connection: AsyncConnection, conversation_id: str) -> Conversation:
    """Return what `load` returns, without the data of images, for callers that only need numbers and words."""
    return await _load(connection, conversation_id, images.FACTS)


async def add_pictures(
    connection: AsyncConnection,
    now: float,
    conversation_id: str,
    images: Iterable[Image],
    first: int | None = None,
    begins: bool = True,
) -> list[int]:
    row = await ensure(connection, conversation_id, now, begins)
    numbers, next_number = [], row.next_number
    if first is not None and await pictures.is_given(connection, conversation_id, row.chapter, first):
        first = None
    for image in images:
        number = await pictures.add_waiting(connection, conversation_id, row.chapter, image, first or next_number)
        first, next_number = None, max(next_number, number + 1)
        numbers.append(number)
    await touch(connection, conversation_id, now, next_number=next_number)
    return numbers


async def has_begun(connection: AsyncConnection, conversation_id: str) -> bool:
    """Return whether there is such a conversation, also one without any question or picture."""
    return await find(connection, conversation_id) is not None


async def remove_picture(
    connection: AsyncConnection, conversation_id: str, number: int, keeps_document: bool = False
) -> Collection[str] | None:
    """Remove a picture.

    Return the ids of images that are no longer shown anywhere, or None if there is no such picture. The document that
    it is a page of goes with it, unless the picture only makes way for others.
    """
    row = await locked(connection, conversation_id)
    if row is None:
        return None
    found = None if keeps_document else await pictures.size(connection, conversation_id, number)
    if found is not None:
        await documents.drop_with(connection, conversation_id, found[:1])
    return await pictures.remove(connection, conversation_id, row.chapter, number)


async def take_back(connection: AsyncConnection, conversation_id: str, numbers: Iterable[int]) -> Collection[str]:
    """Remove the pictures of a refused question, and the conversation if nothing else is in it.

    Return the ids of images that no conversation shows any more.
    """
    row = await locked(connection, conversation_id)
    if row is None:
        return ()
    image_ids = await pictures.take_back(connection, conversation_id, row.chapter, numbers)
    said = (await connection.execute(select(turns.c.id).where(turns.c.conversation_id == conversation_id))).first()
    if said is None and not row.settings and not await pictures.images_of(connection, conversation_id):
        await connection.execute(delete(conversations).where(conversations.c.id == conversation_id))
    return image_ids


async def withdraw_picture(connection: AsyncConnection, conversation_id: str, number: int) -> Collection[str] | None:
    """Stop a picture from waiting for the next question. It is removed if no turn shows it.

    Returns what `remove_picture` returns.
    """
    row = await locked(connection, conversation_id)
    return None if row is None else await pictures.withdraw(connection, conversation_id, row.chapter, number)


async def discard_picture(connection: AsyncConnection, conversation_id: str, number: int) -> Collection[str] | None:
    """Withdraw a picture for the person who sent it. A document none of whose pages is left goes with it.

    Returns what `remove_picture` returns.
    """
    dropped = await withdraw_picture(connection, conversation_id, number)
    pages = await documents.pages_of(connection, conversation_id)
    if pages and not set(pages).intersection(await pictures.images_of(connection, conversation_id)):
        await documents.drop(connection, conversation_id)
    return dropped


async def restart(connection: AsyncConnection, now: float, conversation_id: str) -> None:
    """Restart the conversation. Earlier turns stay on disk until they expire, but no longer belong to it."""
    await documents.drop(connection, conversation_id)
    values = {"chapter": conversations.c.chapter + 1, "next_number": 1, "title": "", "updated": now}
    await connection.execute(update(conversations).where(conversations.c.id == conversation_id).values(values))


async def forget(connection: AsyncConnection, conversation_id: str) -> Collection[str]:
    """Delete a conversation. Return the ids of images that no conversation shows any more."""
    image_ids = await pictures.images_of(connection, conversation_id)
    await connection.execute(delete(conversations).where(conversations.c.id == conversation_id))
    return await images.drop_unused(connection, image_ids)


async def empty(connection: AsyncConnection, conversation_id: str) -> Collection[str]:
    """Delete all of a conversation but its settings and the pictures that wait for a question.

    Return the ids of images that no conversation shows any more.
    """
    await locked(connection, conversation_id)
    image_ids = await pictures.images_of(connection, conversation_id)
    await connection.execute(delete(turns).where(turns.c.conversation_id == conversation_id))
    await documents.drop(connection, conversation_id)
    next_number = 1 + await pictures.drop_asked(connection, conversation_id)
    here = conversations.c.id == conversation_id
    await connection.execute(
        update(conversations).where(here).values(title="", name=None, link=None, next_number=next_number)
    )
    return await images.drop_unused(connection, image_ids)


async def move(connection: AsyncConnection, conversation_id: str, new_id: str) -> bool:
    """Move a conversation to a new id. Return False if there is nothing to move, or if the new id is taken."""
    row = await find(connection, conversation_id)
    if row is None or await find(connection, new_id) is not None:
        return False
    await connection.execute(insert(conversations).values({**row._mapping, "id": new_id, "link": None}))
    here = turns.c.conversation_id == conversation_id
    await connection.execute(update(turns).where(here).values(conversation_id=new_id))
    await pictures.move(connection, conversation_id, new_id)
    await documents.move(connection, conversation_id, new_id)
    await connection.execute(delete(conversations).where(conversations.c.id == conversation_id))
    return True


async def retitle(connection: AsyncConnection, conversation_id: str) -> None:
    """Name a conversation by the first question that is left in its chapter. A name that somebody gave it goes."""
    here = conversations.c.id == conversation_id
    current = select(conversations.c.chapter).where(here).scalar_subquery()
    here_now = turns.c.conversation_id == conversation_id, turns.c.chapter == current, ~turns.c.replaced
    left = select(turns.c.text).where(*here_now).order_by(turns.c.position, turns.c.id).limit(1)
    first = (await connection.execute(left)).scalar()
    await connection.execute(update(conversations).where(here).values(title=title_of(first or ""), name=None))


async def every_id(connection: AsyncConnection) -> list[str]:
    return list((await connection.execute(select(conversations.c.id))).scalars())


async def older_than(connection: AsyncConnection, moment: float) -> list[str]:
    """Return the ids of conversations last changed before `moment`, without those in which a question waits."""
    return list((await connection.execute(select(conversations.c.id).where(_older(moment)))).scalars())


async def is_older(connection: AsyncConnection, conversation_id: str, moment: float) -> bool:
    query = select(conversations.c.id).where(conversations.c.id == conversation_id, _older(moment))
    return (await connection.execute(query)).first() is not None


def _older(moment: float) -> ColumnElement[bool]:
    return and_(conversations.c.updated < moment, conversations.c.id.not_in(ASKING))
