"""Limit how much of the disk people's pictures may take, for one person and for all together.

Originals and documents go first, those longest unused before others: answers need only what the model sees. If that is
not enough, new pictures are refused. Each function is one step inside a transaction that its caller opened.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.image import Image
from core.pseudonym import pseudonym
from storage import documents
from storage.messages import ASKING
from storage.schema import conversations, images, pictures, turn_pictures

DROPPED_AT_ONCE_BYTES = 64_000_000  # in one transaction
TURN_BYTES = 100_000  # roughly what a turn takes without its pictures
_SIZE = func.coalesce(func.length(images.c.data), 0) + func.coalesce(func.length(images.c.original), 0)


@dataclass(frozen=True, slots=True)
class Allowance:
    """The limits in bytes. 0 means no limit."""

    all: int = 0
    person: int = 0


@dataclass(frozen=True, slots=True)
class Excess:
    """The bytes over the limit, of a person and of all together."""

    person: int
    all: int


async def excess(connection: AsyncConnection, person: str, coming: Sequence[Image], allowance: Allowance) -> Excess:
    """Return how much would be over the limits if these images were added."""
    theirs = new = 0
    if coming:
        known = set((await connection.execute(select(images.c.id).where(images.c.id.in_(_ids(coming))))).scalars())
        new = sum(_size(image) for image in coming if image.id not in known)
    if allowance.person and coming:
        ids = select(images.c.id).where(_brought_by(person), images.c.id.in_(_ids(coming)))
        shown = set((await connection.execute(ids)).scalars())
        used = await _used(connection, person)
        theirs = used + sum(_size(image) for image in coming if image.id not in shown) - allowance.person
    total = await size(connection) + new + TURN_BYTES - allowance.all if allowance.all else 0
    return Excess(theirs, total)


async def excess_of(connection: AsyncConnection, person: str, coming_bytes: int, allowance: Allowance) -> Excess:
    """Return how much would be over the limits with so many bytes more of one person."""
    theirs = await _used(connection, person) + coming_bytes - allowance.person if allowance.person else 0
    return Excess(theirs, await size(connection) + coming_bytes - allowance.all if allowance.all else 0)


async def size(connection: AsyncConnection) -> int:
    """Return the bytes that the database takes; on PostgreSQL, those of its pictures and documents."""
    if connection.dialect.name != "sqlite":
        shown = int((await connection.execute(select(func.sum(_SIZE)))).scalar() or 0)
        return shown + await documents.size(connection, None)
    pages, unused, bytes_ = [
        int((await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one())
        for name in ("page_count", "freelist_count", "page_size")
    ]
    return (pages - unused) * bytes_


async def drop_spare(connection: AsyncConnection, wanted: int, person: str | None) -> int:
    """Drop originals, then documents, of a person or of all, oldest first. Return how many bytes were dropped.

    Originals stay while a question waits in their conversation, because it may be about small print.
    """
    theirs: ColumnElement[bool] = true() if person is None else pictures.c.person == pseudonym(person)
    query = (
        select(images.c.id, func.length(images.c.original).label("bytes"))
        .join(pictures, pictures.c.image_id == images.c.id)
        .join(conversations, conversations.c.id == pictures.c.conversation_id)
        .where(images.c.original.is_not(None), conversations.c.id.not_in(ASKING), theirs)
        .group_by(images.c.id)
        .order_by(func.max(conversations.c.updated), images.c.id)
    )
    chosen, dropped = [], 0
    for row in (await connection.execute(query)).all():
        if dropped >= min(wanted, DROPPED_AT_ONCE_BYTES):
            break
        chosen.append(row.id)
        dropped += row.bytes
    await connection.execute(update(images).where(images.c.id.in_(chosen)).values(original=None))
    if dropped < min(wanted, DROPPED_AT_ONCE_BYTES):
        dropped += await documents.drop_oldest(connection, wanted - dropped, person)
    return dropped


async def _used(connection: AsyncConnection, person: str) -> int:
    """Return the bytes of a person's pictures and documents."""
    pictured = (await connection.execute(select(func.sum(_SIZE)).where(_brought_by(person)))).scalar() or 0
    return int(pictured) + await documents.size(connection, person)


def _brought_by(person: str) -> ColumnElement[bool]:
    """Return whether an image is one of a person's pictures, also as one that a turn enlarged."""
    own = select(pictures.c.image_id).where(pictures.c.person == pseudonym(person))
    sharpened = select(turn_pictures.c.image_id).join(pictures, pictures.c.id == turn_pictures.c.picture_id)
    return or_(images.c.id.in_(own), images.c.id.in_(sharpened.where(pictures.c.person == pseudonym(person))))


def _ids(coming: Sequence[Image]) -> list[str]:
    return [image.id for image in coming]


def _size(image: Image) -> int:
    return len(image.data) + len(image.original or b"")
