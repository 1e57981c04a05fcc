"""Read the lists of conversations, and how people arrange theirs. Each function is one step inside a transaction."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.conversation_list import ConversationSummary, SummaryPage
from core.errors import BadQuestion
from core.storable import storable
from storage.schema import conversations, is_in, is_in_list, pictures, turns

LISTED_CONVERSATIONS = 200  # on one page
SEARCHED_CONVERSATIONS = 2000  # the newest; each costs a look at all that was said in it
SEARCHED_WORDS = 8
NAME_CHARACTERS = 80
PINNED = "pinned~"  # how a cursor among the pinned ones begins
_ORDER = conversations.c.pinned.desc(), conversations.c.updated.desc(), conversations.c.id


async def summaries(
    connection: AsyncConnection,
    prefix: str = "",
    after: str = "",
    untitled: Collection[str] = (),
    limit: int = LISTED_CONVERSATIONS,
    owner: str | None = None,
    words: str = "",
) -> SummaryPage:
    """Return a place's conversations with a question, pinned ones first, newest first; see `schema.is_in`.

    With an `owner`, those are theirs and everybody's; see `schema.is_in_list`. `after` is the cursor from the previous
    page. `untitled` are ids of conversations whose first answer is being written. With `words`, those of the newest in
    whose name, questions or answers each word is found.
    """
    here = is_in(prefix) if owner is None else is_in_list(prefix, owner)
    listed = and_(here, or_(conversations.c.title != "", conversations.c.id.in_(untitled)))
    query = select(conversations).where(_searched(listed, words) if words.strip() else listed)
    if after:
        query = query.where(_follows(after))
    rows = (await connection.execute(query.order_by(*_ORDER).limit(limit + 1))).all()
    page = rows[:limit]
    first = await _first_pictures(connection, [row.id for row in page])
    found = tuple(_summary(row, first.get(row.id)) for row in page)
    return SummaryPage(found, _cursor(page[-1]) if len(rows) > limit > 0 else None)


async def arrange(
    connection: AsyncConnection, conversation_id: str, name: str | None = None, pinned: bool | None = None
) -> None:
    """Name a conversation, "" by its first question, or pin it. None changes nothing."""
    values: dict[str, Any] = {} if pinned is None else {"pinned": pinned}
    if name is not None:
        values["name"] = storable(" ".join(name.split())[:NAME_CHARACTERS]) or None
    if values:
        await connection.execute(update(conversations).where(conversations.c.id == conversation_id).values(values))


def _searched(listed: ColumnElement[bool], words: str) -> ColumnElement[bool]:
    newest = select(conversations.c.id).where(listed).order_by(*_ORDER).limit(SEARCHED_CONVERSATIONS).subquery()
    wanted = words.split()[:SEARCHED_WORDS]
    return and_(conversations.c.id.in_(select(newest.c.id)), *(_has(word) for word in wanted))


def _has(word: str) -> ColumnElement[bool]:
    in_name = func.coalesce(conversations.c.name, conversations.c.title).icontains(word, autoescape=True)
    said = or_(turns.c.text.icontains(word, autoescape=True), turns.c.answer.icontains(word, autoescape=True))
    here = turns.c.conversation_id == conversations.c.id, turns.c.chapter == conversations.c.chapter, ~turns.c.replaced
    return or_(in_name, exists().where(*here, said))


def _follows(after: str) -> ColumnElement[bool]:
    """Return whether a conversation comes after a cursor."""
    is_pinned, (moment, _, conversation_id) = after.startswith(PINNED), after.removeprefix(PINNED).partition("~")
    updated = conversations.c.updated
    try:
        later = or_(updated < float(moment), and_(updated == float(moment), conversations.c.id > conversation_id))
    except ValueError:
        raise BadQuestion("There is no such page of the list.") from None
    pinned = conversations.c.pinned
    return or_(~pinned, later) if is_pinned else and_(~pinned, later)


def _cursor(row: Any) -> str:
    return f"{PINNED if row.pinned else ''}{float(row.updated)!r}~{row.id}"


async def _first_pictures(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Return the number and the image of each conversation's first picture that is still there."""
    here = and_(pictures.c.conversation_id == conversations.c.id, pictures.c.chapter == conversations.c.chapter)
    first = (
        select(pictures.c.conversation_id, func.min(pictures.c.number))
        .join(conversations, here)
        .where(pictures.c.conversation_id.in_(ids), pictures.c.image_id.is_not(None))
        .group_by(pictures.c.conversation_id)
    )
    query = (
        select(pictures.c.conversation_id, pictures.c.number, pictures.c.image_id)
        .join(conversations, here)
        .where(tuple_(pictures.c.conversation_id, pictures.c.number).in_(first))
    )
    rows = (await connection.execute(query)).all()
    return {row.conversation_id: (row.number, row.image_id) for row in rows}


def _summary(row: Any, first: tuple[int, str] | None) -> ConversationSummary:
    return ConversationSummary(row.id, row.name or row.title, _date(row.updated), bool(row.name), row.pinned, first)


def _date(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError, TypeError):  # the file is damaged
        return datetime.fromtimestamp(0, UTC)
