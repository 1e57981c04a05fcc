"""Which of a platform's files became which image: deleting the file there removes the image here."""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import files, images


async def remember(connection: AsyncConnection, file: str, conversation_id: str, image_ids: Sequence[str]) -> None:
    here = (files.c.file == file, files.c.conversation_id == conversation_id)
    known = set((await connection.execute(select(files.c.image_id).where(*here))).scalars())
    for image_id in dict.fromkeys(image_ids):
        if image_id not in known:
            values = {"file": file, "conversation_id": conversation_id, "image_id": image_id}
            await connection.execute(insert(files).values(values))


async def known(connection: AsyncConnection, conversation_id: str) -> set[str]:
    return set(
        (await connection.execute(select(files.c.file).where(files.c.conversation_id == conversation_id))).scalars()
    )


async def remove(connection: AsyncConnection, file: str) -> Collection[str]:
    """Its images from every conversation; returns their ids."""
    image_ids = set((await connection.execute(select(files.c.image_id).where(files.c.file == file))).scalars())
    await connection.execute(delete(images).where(images.c.id.in_(image_ids)))
    await connection.execute(delete(files).where(files.c.image_id.in_(image_ids)))
    return image_ids


async def forget(connection: AsyncConnection, conversation_id: str) -> None:
    await connection.execute(delete(files).where(files.c.conversation_id == conversation_id))


async def move(connection: AsyncConnection, conversation_id: str, new_id: str) -> None:
    where = files.c.conversation_id == conversation_id
    await connection.execute(update(files).where(where).values(conversation_id=new_id))
