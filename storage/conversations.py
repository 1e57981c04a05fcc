"""Read and write conversations as rows. Each function is one step inside a transaction that its caller opened."""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, and_, delete, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.answer import Answer, Ending, Figures
from core.conversation import Conversation, Picture, Turn
from core.image import Image
from core.settings import ConversationSettings, settings_of
from core.storable import storable
from storage import documents, pictures
from storage.messages import ASKING, keys_of_sent
from storage.schema import conversations, messages, turn_pictures, turns

TITLE_CHARACTERS = 80
TURNS_AT_ONCE = 256  # are read, which takes about 10 ms; then whatever else waits gets its turn
_FIGURES = {field.name for field in fields(Figures)}
_ENDINGS = {ending.value for ending in Ending}


async def load(connection: AsyncConnection, conversation_id: str) -> Conversation:
    """Return the conversation since its last restart.

    Its images come without `original`, since whole photos would be read for every question; `pictures.image` reads it.
    """
    return await _load(connection, conversation_id, pictures.SHOWN)


async def _load(connection: AsyncConnection, conversation_id: str, columns: Sequence[Column[Any]]) -> Conversation:
    row = await _row(connection, conversation_id)
    if row is None:
        return Conversation(conversation_id)
    here = and_(turns.c.conversation_id == conversation_id, turns.c.chapter == row.chapter)
    found: list[Turn] = []
    known: dict[str, Image] = {}
    async for rows in _pages(connection, and_(here, ~turns.c.replaced)):
        shown = await pictures.of_turns(connection, [turn.id for turn in rows], columns, known)
        found += [as_turn(turn, shown.get(turn.id, ())) for turn in rows]
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
    return await _load(connection, conversation_id, pictures.FACTS)


async def answered(connection: AsyncConnection, key: str) -> Turn | None:
    """Return the turn that was saved under `key`, if any, as in an `outline`."""
    return await _one_turn(connection, turns.c.key == key)


async def turn_of_sent(
    connection: AsyncConnection, adapter: str, sent: str, conversation_id: str | None = None
) -> Turn | None:
    """Return the turn whose answer is in the platform's message `sent`, as in an `outline`.

    See `messages.keys_of_sent`.
    """
    return await _one_turn(connection, turns.c.key.in_(keys_of_sent(adapter, sent, conversation_id)))


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
    row = await _locked(connection, conversation_id) or await _create(connection, conversation_id, now)
    chapter, next_number = row.chapter, row.next_number
    shown: list[tuple[int, str | None]] = []
    for picture in turn.pictures:
        picture_id, closer, next_number = await pictures.attach_to_turn(
            connection, conversation_id, chapter, picture, next_number
        )
        shown.append((picture_id, closer))
    position, asker = await _position(connection, conversation_id, chapter, replaces)
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
        "person": asker or person,
    }
    turn_id = (await connection.execute(insert(turns).values(values).returning(turns.c.id))).scalar_one()
    for place, (picture_id, image_id) in enumerate(shown):
        values = {"turn_id": turn_id, "place": place, "picture_id": picture_id, "image_id": image_id}
        await connection.execute(insert(turn_pictures).values(values))
    await pictures.mark_asked(connection, [picture_id for picture_id, _ in shown])
    title = row.title if position and row.title else _title(turn.text)
    await _touch(connection, conversation_id, now, next_number=next_number, title=title)


async def add_pictures(
    connection: AsyncConnection, now: float, conversation_id: str, images: Iterable[Image], first: int | None = None
) -> list[int]:
    row = await _locked(connection, conversation_id) or await _create(connection, conversation_id, now)
    numbers, next_number = [], row.next_number
    if first is not None and await pictures.is_given(connection, conversation_id, row.chapter, first):
        first = None
    for image in images:
        number = await pictures.add_waiting(connection, conversation_id, row.chapter, image, first or next_number)
        first, next_number = None, max(next_number, number + 1)
        numbers.append(number)
    await _touch(connection, conversation_id, now, next_number=next_number)
    return numbers


async def settings(connection: AsyncConnection, conversation_id: str) -> ConversationSettings:
    """Return the settings of a conversation; one that is unknown has the defaults."""
    query = select(conversations.c.settings).where(conversations.c.id == conversation_id)
    return settings_of((await connection.execute(query)).scalar())


async def change_settings(
    connection: AsyncConnection, now: float, conversation_id: str, changed: ConversationSettings
) -> None:
    """Store the settings of a conversation. They stay when it is restarted, and go when it is forgotten."""
    _ = await _locked(connection, conversation_id) or await _create(connection, conversation_id, now)
    await _touch(connection, conversation_id, now, settings=changed.stored() or None)


async def exists(connection: AsyncConnection, conversation_id: str, begun: float | None = None) -> bool:
    """Return whether there is such a conversation. It is made if it `begun` now."""
    if await _locked(connection, conversation_id) is not None:
        return True
    if begun is not None:
        await _create(connection, conversation_id, begun)
    return begun is not None


async def has_begun(connection: AsyncConnection, conversation_id: str) -> bool:
    """Return whether there is such a conversation, also one without any question or picture."""
    return await _row(connection, conversation_id) is not None


async def next_number(connection: AsyncConnection, conversation_id: str) -> int:
    """Return the number of the next picture. Others that would write in the conversation wait for this transaction."""
    row = await _locked(connection, conversation_id)
    return 1 if row is None else int(row.next_number)


async def remove_picture(
    connection: AsyncConnection, conversation_id: str, number: int, keeps_document: bool = False
) -> Collection[str] | None:
    """Remove a picture.

    Return the ids of images that are no longer shown anywhere, or None if there is no such picture. The document that
    it is a page of goes with it, unless the picture only makes way for others.
    """
    row = await _locked(connection, conversation_id)
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
    row = await _locked(connection, conversation_id)
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
    row = await _locked(connection, conversation_id)
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
    return await pictures.drop_unused(connection, image_ids)


async def empty(connection: AsyncConnection, conversation_id: str) -> Collection[str]:
    """Delete all of a conversation but its settings and the pictures that wait for a question.

    Return the ids of images that no conversation shows any more.
    """
    await _locked(connection, conversation_id)
    image_ids = await pictures.images_of(connection, conversation_id)
    await connection.execute(delete(turns).where(turns.c.conversation_id == conversation_id))
    await documents.drop(connection, conversation_id)
    next_number = 1 + await pictures.drop_asked(connection, conversation_id)
    here = conversations.c.id == conversation_id
    await connection.execute(
        update(conversations).where(here).values(title="", name=None, link=None, next_number=next_number)
    )
    return await pictures.drop_unused(connection, image_ids)


async def move(connection: AsyncConnection, conversation_id: str, new_id: str) -> bool:
    """Move a conversation to a new id. Return False if there is nothing to move, or if the new id is taken."""
    row = await _row(connection, conversation_id)
    if row is None or await _row(connection, new_id) is not None:
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
    await connection.execute(update(conversations).where(here).values(title=_title(first or ""), name=None))


async def every_id(connection: AsyncConnection) -> list[str]:
    return list((await connection.execute(select(conversations.c.id))).scalars())


async def older_than(connection: AsyncConnection, moment: float) -> list[str]:
    """Return the ids of conversations last changed before `moment`, without those in which a question waits."""
    return list((await connection.execute(select(conversations.c.id).where(_older(moment)))).scalars())


async def is_older(connection: AsyncConnection, conversation_id: str, moment: float) -> bool:
    query = select(conversations.c.id).where(conversations.c.id == conversation_id, _older(moment))
    return (await connection.execute(query)).first() is not None


async def answered_since(connection: AsyncConnection, moment: float) -> int:
    where = turns.c.created >= moment, turns.c.ending != Ending.FAILED.value
    return int((await connection.execute(select(func.count()).select_from(turns).where(*where))).scalar_one())


async def rate(connection: AsyncConnection, key: str, rating: int) -> bool:
    """Rate a turn: 1 is a thumb up, -1 down, 0 removes the rating. Return False if no turn was saved under `key`."""
    result = await connection.execute(update(turns).where(turns.c.key == key).values(rating=rating or None))
    return result.rowcount > 0


async def rate_sent(
    connection: AsyncConnection, adapter: str, sent: str, rating: int, conversation_id: str | None = None
) -> bool:
    """Rate the turn whose answer is in the platform's message `sent`, as `rate` does; see `messages.keys_of_sent`."""
    query = keys_of_sent(adapter, sent, conversation_id).order_by(messages.c.id.desc()).limit(1)
    key = (await connection.execute(query)).scalar()
    return key is not None and await rate(connection, key, rating)


async def rated(connection: AsyncConnection) -> list[Turn]:
    """Return every rated turn, oldest first."""
    rows = (await connection.execute(select(turns).where(turns.c.rating.is_not(None)).order_by(turns.c.id))).all()
    shown = await pictures.of_turns(connection, [row.id for row in rows], pictures.SHOWN, {})
    return [as_turn(row, shown.get(row.id, ())) for row in rows]


async def _row(connection: AsyncConnection, conversation_id: str) -> Any:
    return (await connection.execute(select(conversations).where(conversations.c.id == conversation_id))).first()


async def _locked(connection: AsyncConnection, conversation_id: str) -> Any:
    """Return a conversation's row, locked until the transaction ends. SQLite locks the whole file anyway."""
    query = select(conversations).where(conversations.c.id == conversation_id).with_for_update()
    return (await connection.execute(query)).first()


async def _create(connection: AsyncConnection, conversation_id: str, now: float) -> Any:
    values = {"id": conversation_id, "title": "", "chapter": 0, "next_number": 1, "created": now, "updated": now}
    return (await connection.execute(insert(conversations).values(values).returning(conversations))).one()


async def _touch(connection: AsyncConnection, conversation_id: str, now: float, **values: Any) -> None:
    where = conversations.c.id == conversation_id
    await connection.execute(update(conversations).where(where).values(updated=now, **values))


def _title(question: str) -> str:
    return storable(" ".join(question.split())[:TITLE_CHARACTERS])


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
    return as_turn(row, (await pictures.of_turns(connection, [row.id], pictures.FACTS, {})).get(row.id, ()))


def _older(moment: float) -> ColumnElement[bool]:
    return and_(conversations.c.updated < moment, conversations.c.id.not_in(ASKING))


def as_turn(row: Any, shown: tuple[Picture, ...]) -> Turn:
    """Return a row of `turns` as a turn that shows these pictures."""
    known: dict[str, Any] = row.figures if isinstance(row.figures, dict) else {}
    kept = {name: known[name] for name in _FIGURES & known.keys() if isinstance(known[name], int | float)}
    figures = Figures(**kept)
    ending = Ending(row.ending) if row.ending in _ENDINGS else Ending.FAILED  # the file is damaged
    return Turn(row.text, shown, Answer(row.answer, ending, figures), row.rating or 0)
