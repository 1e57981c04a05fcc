"""Read and write images as rows. Each image is stored once, however many pictures show it.

Each function is one step inside a transaction that its caller opened.
"""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Column, LargeBinary, delete, exists, func, insert, not_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import NotFound
from core.image import Image
from storage.schema import images, pictures, turn_pictures

FACTS: tuple[Column[Any], ...] = tuple(column for column in images.c if column.name not in ("data", "original"))
SHOWN = (*FACTS, images.c.data)  # what the model sees; originals are read one at a time only


async def find(connection: AsyncConnection, image_id: str) -> Image:
    """Return an image with its original bytes, if they were kept. Raises `NotFound`."""
    row = (await connection.execute(select(images).where(images.c.id == image_id))).first()
    if row is None:
        raise _gone()
    return as_image(row, row.original)


async def original(connection: AsyncConnection, image_id: str) -> bytes | None:
    """Return the bytes that were sent, where they were kept. Raises `NotFound`."""
    row = (await connection.execute(select(images.c.original).where(images.c.id == image_id))).first()
    if row is None:
        raise _gone()
    original: bytes | None = row.original
    return original


async def piece(connection: AsyncConnection, image_id: str, start: int, length: int) -> bytes:
    """Return a part of an image's data. Raises `NotFound`."""
    part = func.substr(images.c.data, start + 1, length, type_=LargeBinary)
    found: bytes | None = (await connection.execute(select(part).where(images.c.id == image_id))).scalar()
    if found is None:
        raise _gone()
    return found


async def keep(connection: AsyncConnection, image: Image) -> None:
    """Store each image once. Its original is added when it comes later."""
    query = select(images.c.original.is_(None)).where(images.c.id == image.id)
    lacks_original = (await connection.execute(query)).scalar()
    if lacks_original is None:
        width, height = image.original_size
        values = {"id": image.id, "width": image.width, "height": image.height, "data": image.data}
        values["tiles"] = list(map(list, image.tiles)) or None
        values |= {"original_width": width, "original_height": height, "original": image.original}
        await connection.execute(insert(images).values(values))
    elif lacks_original and image.original is not None:
        await connection.execute(update(images).where(images.c.id == image.id).values(original=image.original))


async def every_id(connection: AsyncConnection) -> list[str]:
    """Return the ids of all stored images."""
    return list((await connection.execute(select(images.c.id))).scalars())


async def drop_unused(connection: AsyncConnection, image_ids: Iterable[str]) -> Collection[str]:
    """Delete those of the images that no conversation shows any more, and return their ids."""
    kept = exists(select(pictures.c.id).where(pictures.c.image_id == images.c.id))
    shown = exists(select(turn_pictures.c.turn_id).where(turn_pictures.c.image_id == images.c.id))
    dropped = []
    for image_id in set(image_ids):
        unused = delete(images).where(images.c.id == image_id, not_(kept), not_(shown))
        if (await connection.execute(unused)).rowcount:
            dropped.append(image_id)
    return dropped


def as_image(row: Any, original: bytes | None = None) -> Image:
    original_size = (row.original_width, row.original_height)
    tiles = tuple((left, top, right, bottom) for left, top, right, bottom in row.tiles or ())
    return Image(row.id, getattr(row, "data", b""), row.width, row.height, original_size, original, tiles)


def _gone() -> NotFound:
    return NotFound("This picture is not here any more.")
