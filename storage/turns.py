"""Read and write questions with their answers. Each function is one step inside a transaction of its caller."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, and_, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.answer import Answer, Ending, Figures
from core.conversation import Picture, Turn
from core.image import Image
from core.storable import storable
from storage import images, pictures
from storage.conversation_row import ensure, title_of, touch
from storage.messages import keys_of_posted
from storage.schema import conversations, turn_pictures, turns

_FIGURES = {field.name for field in fields(Figures)}
_ENDINGS = {ending.value for ending in Ending}


async def answered(connection: AsyncConnection, key: str) -> Turn | None:
    """Return the turn that was saved under `key`, if any, as in an `outline`."""
    return await _one_turn(connection, turns.c.key == key)


async def turn_of_posted(
    connection: AsyncConnection, adapter: str, posted_id: str, conversation_id: str | None = None
) -> Turn | None:
    """Return the turn whose answer is in the platform's message `posted_id`, as in an `outline`.

    See `messages.keys_of_posted`.
    """
    return await _one_turn(connection, turns.c.key.in_(keys_of_posted(adapter, posted_id, conversation_id)))


async def key_of_turn(connection: AsyncConnection, conversation_id: str, number: int) -> str | None:
    """Return the key of a turn that `load` returns, by its number from 1."""
    query = _keys(conversation_id).order_by(turns.c.position, turns.c.id).offset(number - 1).limit(1)
    return (await connection.execute(query)).scalar()


async def keys(connection: AsyncConnection, conversation_id: str) -> list[str]:
    """Return the keys of the turns that `load` returns, in the same order."""
    query = _keys(conversation_id).order_by(turns.c.position, turns.c.id)
    return list((await connection.execute(query)).scalars())


def _keys(conversation_id: str) -> Select[str]:
    return (
        select(turns.c.key)
        .join(conversations, conversations.c.id == turns.c.conversation_id)
        .where(conversations.c.id == conversation_id, turns.c.chapter == conversations.c.chapter, ~turns.c.replaced)
    )


async def save(
    connection: AsyncConnection,
    now: float,
    conversation_id: str,
    turn: Turn,
    key: str,
    replaces: str | None,
    person: str | None,
) -> None:
    if turn.answer is None:
        raise ValueError("an open turn cannot be saved")
    if (await connection.execute(select(turns.c.id).where(turns.c.key == key))).first():
        return
    row = await ensure(connection, conversation_id, now)
    chapter, next_number = row.chapter, row.next_number
    shown: list[tuple[int, str | None]] = []
    for picture in turn.pictures:
        picture_id, sharpened, next_number = await pictures.attach_to_turn(
            connection, conversation_id, chapter, picture, next_number
        )
        shown.append((picture_id, sharpened))
    position, earlier_person = await _position(connection, conversation_id, chapter, replaces)
    values = {
        "conversation_id": conversation_id,
        "chapter": chapter,
        "position": position,
        "key": key,
        "replaced": False,
        "text": storable(turn.text),
        "answer": storable(turn.answer.text),
        "ending": turn.answer.ending.value,
        "figures": asdict(turn.answer.figures),
        "created": now,
        "person": earlier_person or person,
    }
    turn_id = (await connection.execute(insert(turns).values(values).returning(turns.c.id))).scalar_one()
    for place, (picture_id, image_id) in enumerate(shown):
        values = {"turn_id": turn_id, "place": place, "picture_id": picture_id, "image_id": image_id}
        await connection.execute(insert(turn_pictures).values(values))
    await pictures.mark_asked(connection, [picture_id for picture_id, _ in shown])
    title = row.title if position and row.title else title_of(turn.text)
    await touch(connection, conversation_id, now, next_number=next_number, title=title)


async def answered_since(connection: AsyncConnection, moment: float) -> int:
    where = turns.c.created >= moment, turns.c.ending != Ending.FAILED.value
    return int((await connection.execute(select(func.count()).select_from(turns).where(*where))).scalar_one())


async def _position(
    connection: AsyncConnection, conversation_id: str, chapter: int, replaces: str | None
) -> tuple[int, str | None]:
    """Return where a turn goes, and who asked it if it replaces another: the words are that person's."""
    here = and_(turns.c.conversation_id == conversation_id, turns.c.chapter == chapter)
    if replaces is not None:
        old = (await connection.execute(select(turns).where(here, turns.c.key == replaces))).first()
        if old is not None:
            await connection.execute(update(turns).where(turns.c.id == old.id).values(replaced=True))
            return old.position, old.person
    last = (await connection.execute(select(func.max(turns.c.position)).where(here))).scalar()
    return 0 if last is None else last + 1, None


async def _one_turn(connection: AsyncConnection, where: ColumnElement[bool]) -> Turn | None:
    row = (await connection.execute(select(turns).where(where).order_by(turns.c.id.desc()).limit(1))).first()
    if row is None:
        return None
    [turn] = await of_rows(connection, [row], images.FACTS)
    return turn


async def of_rows(
    connection: AsyncConnection,
    rows: Sequence[Any],
    columns: Sequence[Column[Any]],
    known: dict[str, Image] | None = None,
) -> list[Turn]:
    """Return rows of `turns` as turns with their pictures. `columns` and `known` are as in `pictures.of_turns`."""
    shown = await pictures.of_turns(connection, [row.id for row in rows], columns, {} if known is None else known)
    return [_as_turn(row, shown.get(row.id, ())) for row in rows]


def _as_turn(row: Any, shown: Sequence[tuple[int, Picture | None]]) -> Turn:
    known: dict[str, Any] = row.figures if isinstance(row.figures, dict) else {}
    kept = {name: known[name] for name in _FIGURES & known.keys() if isinstance(known[name], int | float)}
    figures = Figures(**kept)
    ending = Ending(row.ending) if row.ending in _ENDINGS else Ending.FAILED  # the file is damaged
    left = tuple(picture for _, picture in shown if picture is not None)
    removed = tuple(number for number, picture in shown if picture is None)
    return Turn(row.text, left, Answer(row.answer, ending, figures), row.rating or 0, removed)
