"""Remember which of a platform's files became which image: deleting the file there removes the image here."""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, false, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.revision import Shown
from storage import documents, images, pictures
from storage.messages import ASKING
from storage.schema import conversations, files


async def remember(connection: AsyncConnection, file: str, conversation_id: str, image_ids: Sequence[str]) -> None:
    """Remember that a file became these images. `file` is the platform's name and its id of the file."""
    here = (files.c.file == file, files.c.conversation_id == conversation_id)
    known = set((await connection.execute(select(files.c.image_id).where(*here))).scalars())
    for image_id in dict.fromkeys(image_ids):
        if image_id not in known:
            values = {"file": file, "conversation_id": conversation_id, "image_id": image_id}
            await connection.execute(insert(files).values(values))


async def known(connection: AsyncConnection, conversation_id: str) -> set[str]:
    """Return the files whose images the conversation has, or had."""
    return set(
        (await connection.execute(select(files.c.file).where(files.c.conversation_id == conversation_id))).scalars()
    )


async def remove(connection: AsyncConnection, file: str) -> Collection[str] | None:
    """Remove a file's images from all conversations, because its sender deleted it on the platform.

    Return the ids as `images.drop_unused` does, or None if there are no such images.
    """
    rows = (await connection.execute(select(files).where(files.c.file == file))).all()
    if not rows:
        return None
    image_ids = {row.image_id for row in rows}
    for row in rows:
        pages = await documents.drop_with(connection, row.conversation_id, [row.image_id])
        for image_id in {row.image_id, *pages}:
            image_ids.update(await pictures.hide(connection, row.conversation_id, image_id))
    await connection.execute(delete(files).where(files.c.file == file))
    return await images.drop_unused(connection, image_ids)


async def replaced(connection: AsyncConnection, conversation_id: str, shown: Shown) -> Collection[str]:
    """Return the files of edited messages that these show no more."""
    carried = or_(false(), *(files.c.file.startswith(carrier, autoescape=True) for carrier in shown.carriers))
    here = files.c.conversation_id == conversation_id, carried, files.c.file.not_in(shown.files)
    return set((await connection.execute(select(files.c.file).where(*here))).scalars())


async def drop_replaced(
    connection: AsyncConnection, conversation_id: str, replaced: Collection[str]
) -> Collection[str]:
    """Remove what files became whose messages show others now, unless an answer or another message shows it.

    Return the ids as `images.drop_unused` does.
    """
    here = files.c.conversation_id == conversation_id
    gone = delete(files).where(here, files.c.file.in_(replaced)).returning(files.c.image_id)
    image_ids = set((await connection.execute(gone)).scalars())
    image_ids.update(await documents.drop_with(connection, conversation_id, image_ids))
    image_ids -= set((await connection.execute(select(files.c.image_id).where(here))).scalars())
    return await pictures.hide_unanswered(connection, conversation_id, image_ids)


async def forget(connection: AsyncConnection, conversation_id: str) -> None:
    await connection.execute(delete(files).where(files.c.conversation_id == conversation_id))


async def drop_unused(connection: AsyncConnection) -> None:
    """Drop files that belong to no conversation, because their question was refused."""
    kept = or_(files.c.conversation_id.in_(select(conversations.c.id)), files.c.conversation_id.in_(ASKING))
    await connection.execute(delete(files).where(~kept))


async def move(connection: AsyncConnection, conversation_id: str, new_id: str) -> None:
    where = files.c.conversation_id == conversation_id
    await connection.execute(update(files).where(where).values(conversation_id=new_id))
