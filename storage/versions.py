"""Read the versions of a turn: what it was before it was asked again or edited, and what it is now.

What failed, and was asked again for that, is no version. Each function is one step inside a transaction that its caller
opened.
"""

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from core.answer import Ending
from core.conversation import Turn
from storage import images
from storage.schema import conversations, turns
from storage.turns import of_rows

MOST_VERSIONS = 50  # of one turn; of more the oldest are not shown


async def counts(connection: AsyncConnection, conversation_id: str) -> dict[int, int]:
    """Return how many versions there are of each turn that has several, by its number, from 1."""
    by_place = (
        select(func.count().label("count"), func.row_number().over(order_by=turns.c.position).label("number"))
        .where(_here(conversation_id), _is_version())
        .group_by(turns.c.position)
        .having(func.min(case((turns.c.replaced, 1), else_=0)) == 0)
        .subquery()
    )
    several = select(by_place.c.number, by_place.c.count).where(by_place.c.count > 1)
    rows = (await connection.execute(several)).all()
    return {number: min(count, MOST_VERSIONS) for number, count in rows}


async def of_turn(connection: AsyncConnection, conversation_id: str, number: int) -> list[Turn]:
    """Return the versions of a turn, oldest first, as in an outline. The last one is what the conversation has."""
    here = _here(conversation_id)
    current = select(turns.c.position).where(here, ~turns.c.replaced).order_by(turns.c.position, turns.c.id)
    place = (await connection.execute(current.offset(number - 1).limit(1))).scalar()
    found = select(turns).where(here, _is_version(), turns.c.position == place)
    rows = (await connection.execute(found.order_by(turns.c.id.desc()).limit(MOST_VERSIONS))).all()
    return await of_rows(connection, rows[::-1], images.FACTS)


def _here(conversation_id: str) -> ColumnElement[bool]:
    chapter = select(conversations.c.chapter).where(conversations.c.id == conversation_id).scalar_subquery()
    return and_(turns.c.conversation_id == conversation_id, turns.c.chapter == chapter)


def _is_version() -> ColumnElement[bool]:
    return or_(~turns.c.replaced, turns.c.ending != Ending.FAILED.value)
