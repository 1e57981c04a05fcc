"""Read all that is stored of a conversation, also what people no longer see of it: earlier chapters, replaced answers.

Each function is one step inside a transaction that its caller opened.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from core.conversation import Conversation, Picture, Turn
from storage import images, pictures
from storage.schema import images as stored_images
from storage.schema import pictures as stored_pictures
from storage.schema import turns
from storage.turns import of_rows


async def of(
    connection: AsyncConnection, conversation_id: str, names: Collection[str] | None = None
) -> list[Conversation]:
    """Return an outline of each chapter, oldest first. Pictures that no turn shows are `waiting` there.

    With the pseudonyms of a person, only what that person asked and sent.
    """
    brought = await _pictures(connection, conversation_id, names)
    asked = true() if names is None else turns.c.person.in_(names)
    query = select(turns).where(turns.c.conversation_id == conversation_id, asked)
    rows = (await connection.execute(query.order_by(turns.c.chapter, turns.c.position, turns.c.id))).all()
    said: dict[int, list[Turn]] = defaultdict(list)
    for row, turn in zip(rows, await of_rows(connection, rows, images.FACTS), strict=True):
        numbers = {picture.number for picture in brought[row.chapter]}
        own = tuple(picture for picture in turn.pictures if picture.number in numbers)
        said[row.chapter].append(replace(turn, pictures=own))
    return [_chapter(conversation_id, said[chapter], brought[chapter]) for chapter in sorted({*said, *brought})]


def _chapter(conversation_id: str, said: list[Turn], brought: list[Picture]) -> Conversation:
    numbers = {picture.number for turn in said for picture in turn.pictures}
    waiting = tuple(picture for picture in brought if picture.number not in numbers)
    return Conversation(conversation_id, tuple(said), waiting)


async def _pictures(
    connection: AsyncConnection, conversation_id: str, names: Collection[str] | None
) -> dict[int, list[Picture]]:
    theirs = true() if names is None else stored_pictures.c.person.in_(names)
    query = (
        select(stored_pictures.c.chapter, stored_pictures.c.number, stored_pictures.c.part, *images.FACTS)
        .join(stored_images, stored_images.c.id == stored_pictures.c.image_id)
        .where(stored_pictures.c.conversation_id == conversation_id, theirs)
        .order_by(stored_pictures.c.chapter, stored_pictures.c.number)
    )
    found: dict[int, list[Picture]] = defaultdict(list)
    for row in (await connection.execute(query)).all():
        found[row.chapter].append(Picture(row.number, images.as_image(row), part=pictures.as_part(row.part)))
    return found
