"""Read and write pictures as rows: which image has which number in a conversation.

Each function is one step inside a transaction that its caller opened.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Column, ColumnElement, and_, delete, exists, func, insert, not_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.conversation import Picture
from core.image import Image
from core.regions import Part, Region
from storage import images
from storage.schema import conversations, is_in, pictures, turn_pictures, turns
from storage.schema import images as stored_images


async def numbered(connection: AsyncConnection, conversation_id: str, number: int) -> Image | None:
    """Return one picture of a conversation without its original. No other picture is read."""
    row = (await connection.execute(_numbered(conversation_id, number, *images.SHOWN))).first()
    return None if row is None else images.as_image(row)


async def size(connection: AsyncConnection, conversation_id: str, number: int) -> tuple[str, int] | None:
    """Return the id of a picture of the current chapter, and the size of its data."""
    query = _numbered(conversation_id, number, stored_images.c.id, func.length(stored_images.c.data))
    row = (await connection.execute(query)).first()
    return None if row is None else (row[0], row[1])


async def last_pictured(connection: AsyncConnection, prefix: str) -> str | None:
    """Return a place's conversation with pictures that changed last; see `schema.is_in`."""
    query = (
        select(conversations.c.id)
        .join(pictures)
        .where(
            is_in(prefix),
            pictures.c.chapter == conversations.c.chapter,
            pictures.c.image_id.is_not(None),
        )
        .order_by(conversations.c.updated.desc())
        .limit(1)
    )
    found: str | None = (await connection.execute(query)).scalar()
    return found


async def is_given(connection: AsyncConnection, conversation_id: str, chapter: int, number: int) -> bool:
    """Return whether a picture has or had that number."""
    query = select(pictures.c.id).where(_in(conversation_id, chapter), pictures.c.number == number)
    return (await connection.execute(query)).first() is not None


async def add_waiting(
    connection: AsyncConnection, conversation_id: str, chapter: int, image: Image, next_number: int
) -> int:
    """Store a picture until it is asked about. Return its number, which is the old one for a known picture."""
    query = select(pictures.c.id, pictures.c.number).where(_in(conversation_id, chapter))
    known = (await connection.execute(query.where(pictures.c.image_id == image.id))).first()
    await images.keep(connection, image)
    if known is None:
        number = next_number
        picture_id = await _insert(connection, conversation_id, chapter, Picture(number, image))
    else:
        picture_id, number = known
    await _set_waiting(connection, [picture_id], True)
    return number


async def attach_to_turn(
    connection: AsyncConnection, conversation_id: str, chapter: int, picture: Picture, next_number: int
) -> tuple[int, str | None, int]:
    """Return the row of a turn's picture, made if need be, the shown image, and the conversation's next number.

    The shown image is None unless it differs from the picture's own (a less shrunk one). Another picture may have been
    sent while the answer was written: it may hold the number that the answer uses, or be the same picture under another
    number. It still waits, so it gets a new number.
    """
    next_number = max(next_number, picture.number + 1)
    here = _in(conversation_id, chapter)
    query = select(pictures, _unasked().label("unasked")).where(here, pictures.c.number == picture.number)
    row = (await connection.execute(query)).first()
    if row is not None and row.image_id is None:
        return row.id, None, next_number  # it was removed while the answer was written
    if row is not None and row.image_id != picture.image.id and not row.unasked:
        await images.keep(connection, replace(picture.image, original=None))  # the picture has it
        return row.id, picture.image.id, next_number
    await images.keep(connection, picture.image)
    if row is not None and row.image_id == picture.image.id:
        return row.id, None, next_number
    if row is not None:
        await connection.execute(update(pictures).where(pictures.c.id == row.id).values(number=next_number))
        next_number += 1
    await connection.execute(delete(pictures).where(here, pictures.c.image_id == picture.image.id, _unasked()))
    return await _insert(connection, conversation_id, chapter, picture), None, next_number


async def mark_asked(connection: AsyncConnection, picture_ids: Collection[int]) -> None:
    """Mark pictures as no longer waiting."""
    if picture_ids:
        await _set_waiting(connection, picture_ids, False)


async def drop_asked(connection: AsyncConnection, conversation_id: str) -> int:
    """Delete a conversation's pictures that do not wait for a question. Return the largest number that is left."""
    here = pictures.c.conversation_id == conversation_id
    await connection.execute(delete(pictures).where(here, ~pictures.c.waiting))
    return (await connection.execute(select(func.max(pictures.c.number)).where(here))).scalar() or 0


async def mark_unasked(connection: AsyncConnection, turn_id: int) -> None:
    """Let the pictures of a turn that was superseded wait again, unless another turn shows them."""
    shown = select(turn_pictures.c.picture_id).where(turn_pictures.c.turn_id == turn_id)
    where = pictures.c.id.in_(shown), ~_answered(), pictures.c.image_id.is_not(None)
    await connection.execute(update(pictures).where(*where).values(waiting=True))


async def waiting(
    connection: AsyncConnection, conversation_id: str, chapter: int, columns: Sequence[Column[Any]]
) -> tuple[Picture, ...]:
    query = (
        select(pictures.c.number, pictures.c.person, pictures.c.part, *columns)
        .join(stored_images)
        .where(_in(conversation_id, chapter), pictures.c.waiting)
        .order_by(pictures.c.number)
    )
    rows = (await connection.execute(query)).all()
    return tuple(Picture(row.number, images.as_image(row), row.person, as_part(row.part)) for row in rows)


async def of_turns(
    connection: AsyncConnection, turn_ids: list[int], columns: Sequence[Column[Any]], known: dict[str, Image]
) -> dict[int, list[tuple[int, Picture | None]]]:
    """Return the numbers of pictures by turn, in the order they were shown, with those that were not removed.

    Each image is read once: those that are read are added to the `known` ones, by id.
    """
    query = (
        select(
            turn_pictures.c.turn_id,
            pictures.c.number,
            pictures.c.part,
            func.coalesce(turn_pictures.c.image_id, pictures.c.image_id).label("image_id"),
        )
        .join(pictures, pictures.c.id == turn_pictures.c.picture_id)
        .where(turn_pictures.c.turn_id.in_(turn_ids))
        .order_by(turn_pictures.c.turn_id, turn_pictures.c.place)
    )
    rows = (await connection.execute(query)).all()
    if missing := {row.image_id for row in rows if row.image_id is not None} - known.keys():
        wanted = select(*columns).where(stored_images.c.id.in_(missing))
        known |= {row.id: images.as_image(row) for row in (await connection.execute(wanted)).all()}
    shown: dict[int, list[tuple[int, Picture | None]]] = defaultdict(list)
    for row in rows:
        image = None if row.image_id is None else known[row.image_id]
        picture = Picture(row.number, image, part=as_part(row.part)) if image else None
        shown[row.turn_id].append((row.number, picture))
    return shown


async def withdraw(
    connection: AsyncConnection, conversation_id: str, chapter: int, number: int
) -> Collection[str] | None:
    """Delete a waiting picture, unless a question has just taken it up."""
    here = and_(_in(conversation_id, chapter), pictures.c.number == number, pictures.c.image_id.is_not(None))
    found = (await connection.execute(select(pictures.c.waiting, _unasked().label("unasked")).where(here))).first()
    if found is not None and found.waiting and found.unasked:
        return await remove(connection, conversation_id, chapter, number)
    await connection.execute(update(pictures).where(here).values(waiting=False))
    return None if found is None else ()


async def set_sender(
    connection: AsyncConnection, conversation_id: str, image_ids: Collection[str], person: str
) -> None:
    """Record who sent these pictures. A picture that a person sent before stays theirs."""
    here = (pictures.c.conversation_id == conversation_id, pictures.c.image_id.in_(image_ids))
    await connection.execute(update(pictures).where(*here, pictures.c.person.is_(None)).values(person=person))


async def take_back(
    connection: AsyncConnection, conversation_id: str, chapter: int, numbers: Iterable[int]
) -> Collection[str]:
    """Delete pictures that no turn shows, with their numbers. Return the ids of images that nothing uses any more."""
    unasked = and_(_in(conversation_id, chapter), pictures.c.number.in_(list(numbers)), _unasked())
    found = (await connection.execute(delete(pictures).where(unasked).returning(pictures.c.image_id))).scalars()
    return await images.drop_unused(connection, [image_id for image_id in found if image_id is not None])


async def remove(
    connection: AsyncConnection, conversation_id: str, chapter: int, number: int
) -> Collection[str] | None:
    """Delete a picture, but not its number.

    The row stays, so that its number is not given again.
    """
    query = select(pictures.c.id, pictures.c.image_id).where(
        _in(conversation_id, chapter), pictures.c.number == number, pictures.c.image_id.is_not(None)
    )
    found = (await connection.execute(query)).first()
    if found is None:
        return None
    return await images.drop_unused(connection, await empty(connection, pictures.c.id == found.id))


async def hide(connection: AsyncConnection, conversation_id: str, image_id: str) -> Collection[str]:
    """Remove images from all chapters. The numbers stay, as in `remove`. Return the ids of all removed images."""
    here = and_(pictures.c.conversation_id == conversation_id, pictures.c.image_id == image_id)
    return await empty(connection, here)


async def hide_unanswered(
    connection: AsyncConnection, conversation_id: str, image_ids: Collection[str]
) -> Collection[str]:
    """Remove images from a conversation as `hide` does, where no answer shows them. Return the ids of unused ones."""
    here = pictures.c.conversation_id == conversation_id, pictures.c.image_id.in_(image_ids), ~_answered()
    return await images.drop_unused(connection, await empty(connection, and_(*here)))


async def empty(connection: AsyncConnection, which: ColumnElement[bool]) -> list[str]:
    """Remove the images from pictures, also those that a turn enlarged, and return their ids. The numbers stay."""
    image_ids = await _images(connection, which)
    shown = turn_pictures.c.picture_id.in_(select(pictures.c.id).where(which))
    await connection.execute(update(turn_pictures).where(shown).values(image_id=None))
    await connection.execute(update(pictures).where(which).values(image_id=None))
    return image_ids


async def move(connection: AsyncConnection, conversation_id: str, new_id: str) -> None:
    here = pictures.c.conversation_id == conversation_id
    await connection.execute(update(pictures).where(here).values(conversation_id=new_id))


async def images_of(connection: AsyncConnection, conversation_id: str) -> list[str]:
    """Return the ids of a conversation's images in all chapters."""
    return await _images(connection, pictures.c.conversation_id == conversation_id)


async def _images(connection: AsyncConnection, which: ColumnElement[bool]) -> list[str]:
    """Return the ids of all images that show these pictures."""
    own = select(pictures.c.image_id).where(which)
    sharpened = (
        select(turn_pictures.c.image_id).join(pictures, pictures.c.id == turn_pictures.c.picture_id).where(which)
    )
    found = [*(await connection.execute(own)).scalars(), *(await connection.execute(sharpened)).scalars()]
    return [image_id for image_id in found if image_id is not None]


def _in(conversation_id: str, chapter: int) -> ColumnElement[bool]:
    return and_(pictures.c.conversation_id == conversation_id, pictures.c.chapter == chapter)


def _unasked() -> ColumnElement[bool]:
    return not_(exists(select(turn_pictures.c.turn_id).where(turn_pictures.c.picture_id == pictures.c.id)))


def _answered() -> ColumnElement[bool]:
    """Whether a turn shows the picture that was not replaced."""
    return pictures.c.id.in_(select(turn_pictures.c.picture_id).join(turns).where(~turns.c.replaced))


async def _set_waiting(connection: AsyncConnection, picture_ids: Collection[int], waits: bool) -> None:
    await connection.execute(update(pictures).where(pictures.c.id.in_(picture_ids)).values(waiting=waits))


async def _insert(connection: AsyncConnection, conversation_id: str, chapter: int, picture: Picture) -> int:
    values: dict[str, Any] = {"conversation_id": conversation_id, "chapter": chapter}
    part = picture.part and [picture.part.parent, *picture.part.region.corners]
    values |= {"number": picture.number, "image_id": picture.image.id, "part": part}
    picture_id: int = (await connection.execute(insert(pictures).values(values).returning(pictures.c.id))).scalar_one()
    return picture_id


def _numbered(conversation_id: str, number: int, *columns: Any) -> Any:
    return (
        select(*columns)
        .join(pictures, pictures.c.image_id == stored_images.c.id)
        .join(conversations, conversations.c.id == pictures.c.conversation_id)
        .where(conversations.c.id == conversation_id, pictures.c.chapter == conversations.c.chapter)
        .where(pictures.c.number == number)
    )


def as_part(stored: Sequence[Any] | None) -> Part | None:
    """Return where a picture was cut out, as it is stored."""
    return Part(stored[0], Region(*stored[1:])) if stored else None
