"""Find, and forget, everything that is kept about one person, in their own conversations and among others.

People are named by pseudonyms here, because a list of the forgotten has no more. Each function is one step inside a
transaction that its caller opened.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, delete, func, not_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.person import KnownPerson, Standing
from core.pseudonym import pseudonym
from core.quota import tally_of
from core.replica import SLOT
from core.stored_message import StoredMessage
from storage import conversations, files, images, pictures
from storage.schema import documents, growing_answers, leases, messages, people, tallies, turn_pictures, turns
from storage.schema import files as stored_files
from storage.schema import pictures as stored_pictures

AuthorOf = Callable[[str, str], str | None]  # gets a platform's name and a stored payload, and returns who sent it


@dataclass(frozen=True, slots=True)
class Traces:
    """What is kept of a person.

    `own` are the conversations in which no one else asked or sent anything, `shared` are those with others. `messages`
    wait for an answer, or for an admin's decision. `names` are the person's pseudonyms, as far as turns and pictures
    have them. `counted` tells that there are counts of what was asked lately, see `core.quota`.
    """

    names: frozenset[str]
    own: frozenset[str]
    shared: frozenset[str]
    questions: int
    pictures: int
    rated: int
    messages: tuple[StoredMessage, ...]
    standings: tuple[KnownPerson, ...]
    counted: bool

    def __bool__(self) -> bool:
        return bool(self.own or self.shared or self.messages or self.standings or self.counted)


async def workspaces(connection: AsyncConnection, platform: str) -> set[str]:
    """Return the workspaces of a platform in which there was a conversation: the second part of its id."""
    return {name.split(":")[1] for name in await _every_conversation(connection) if name.startswith(f"{platform}:")}


async def find(connection: AsyncConnection, names: Collection[str], author_of: AuthorOf) -> Traces:
    """Return what is kept of the person with these pseudonyms."""
    known = frozenset(names) & await _present(connection)
    theirs, others = await _conversations(connection, known), await _others(connection, known)
    named = {name for name in await _every_conversation(connection) if _is_named(name, names)}
    own = frozenset(named | (theirs - others))
    asked = or_(turns.c.person.in_(known), turns.c.conversation_id.in_(own))
    sent = or_(stored_pictures.c.person.in_(known), stored_pictures.c.conversation_id.in_(own))
    return Traces(
        known,
        own,
        frozenset(theirs) - own,
        await _count(connection, turns, and_(asked, ~turns.c.replaced)),
        await _count(connection, stored_pictures, and_(sent, stored_pictures.c.image_id.is_not(None))),
        await _count(connection, turns, and_(asked, turns.c.rating.is_not(None))),
        tuple(await _messages(connection, names, named, own, author_of)),
        tuple(await _standings(connection, names)),
        bool(await _count(connection, tallies, _counts_of(names))),
    )


async def forget(
    connection: AsyncConnection, names: Collection[str], author_of: AuthorOf
) -> tuple[Traces, Collection[str]]:
    """Delete all of it, and return what there was, and the ids of images that no conversation shows any more.

    In a conversation with others their questions stay, and the numbers of pictures, which are never given again.
    """
    traces = await find(connection, names, author_of)
    dropped: set[str] = set()
    for conversation_id in traces.own:
        dropped.update(await conversations.forget(connection, conversation_id))
        await files.forget(connection, conversation_id)
    keys = messages.c.conversation_id.in_(traces.own), messages.c.payload.is_(None)
    await connection.execute(delete(messages).where(*keys))
    held = or_(leases.c.name.in_(traces.own), leases.c.name.like(f"{SLOT}%"))  # anybody's slots
    await connection.execute(delete(leases).where(held))
    await connection.execute(delete(tallies).where(_counts_of(names)))
    await connection.execute(delete(growing_answers))  # anybody's: no service works now
    mine = turns.c.person.in_(traces.names)
    asked = messages.c.key.in_(select(turns.c.key).where(mine))
    waiting = [message.id for message in traces.messages]
    await connection.execute(delete(messages).where(or_(asked, messages.c.id.in_(waiting))))
    image_ids = await _forget_pictures(connection, traces)
    await connection.execute(delete(turns).where(mine))
    await connection.execute(delete(documents).where(documents.c.person.in_(traces.names)))
    for conversation_id in traces.shared:
        await conversations.retitle(connection, conversation_id)
    for known in traces.standings:
        where = people.c.platform == known.platform, people.c.person == known.id
        await connection.execute(delete(people).where(*where))
    dropped.update(await images.drop_unused(connection, image_ids))
    return traces, dropped


def _counts_of(names: Collection[str]) -> ColumnElement[bool]:
    return tallies.c.name.in_([tally_of(name) for name in names])


async def _forget_pictures(connection: AsyncConnection, traces: Traces) -> set[str]:
    """Remove a person's pictures from conversations with others. Return the ids of images that may be unused now."""
    theirs = stored_pictures.c.person.in_(traces.names)
    image_ids = set(await pictures.empty(connection, theirs))
    await connection.execute(update(stored_pictures).where(theirs).values(person=None, waiting=False))
    here = stored_files.c.conversation_id.in_(traces.shared), stored_files.c.image_id.in_(image_ids)
    await connection.execute(delete(stored_files).where(*here))
    enlarged = select(turn_pictures.c.image_id).join(turns).where(turns.c.person.in_(traces.names))
    found = (await connection.execute(enlarged.where(turn_pictures.c.image_id.is_not(None)))).scalars()
    return image_ids | set(found)


async def _present(connection: AsyncConnection) -> set[str]:
    """Return the pseudonyms of all people who asked or sent something."""
    found: set[str] = set()
    for column in (turns.c.person, stored_pictures.c.person, documents.c.person):
        found.update((await connection.execute(select(column).where(column.is_not(None)).distinct())).scalars())
    return found


async def _conversations(connection: AsyncConnection, names: Collection[str]) -> set[str]:
    """Return where one of these people asked or sent something that is still there."""
    return await _ids(
        connection,
        select(turns.c.conversation_id).where(turns.c.person.in_(names)),
        select(stored_pictures.c.conversation_id).where(stored_pictures.c.person.in_(names), _is_there()),
        select(documents.c.conversation_id).where(documents.c.person.in_(names)),
    )


async def _others(connection: AsyncConnection, names: Collection[str]) -> set[str]:
    """Return where anybody else did, or somebody unknown."""
    by_others = or_(turns.c.person.is_(None), not_(turns.c.person.in_(names)))
    of_others = or_(stored_pictures.c.person.is_(None), not_(stored_pictures.c.person.in_(names)))
    return await _ids(
        connection,
        select(turns.c.conversation_id).where(by_others),
        select(stored_pictures.c.conversation_id).where(of_others, _is_there()),
        select(documents.c.conversation_id).where(not_(documents.c.person.in_(names))),
    )


def _is_there() -> ColumnElement[bool]:
    return stored_pictures.c.image_id.is_not(None)


async def _ids(connection: AsyncConnection, *queries: Select[str]) -> set[str]:
    found: set[str] = set()
    for query in queries:
        found.update((await connection.execute(query.distinct())).scalars())
    return found


async def _every_conversation(connection: AsyncConnection) -> set[str]:
    return {*await conversations.every_id(connection), *await _ids(connection, select(messages.c.conversation_id))}


def _is_named(conversation_id: str, names: Collection[str]) -> bool:
    """Return whether a conversation is named like the person: `telegram:42:0`, or on the web by the pseudonym."""
    place = ":".join(conversation_id.split(":")[:2])
    return pseudonym(place) in names or place.removeprefix("web:") in names


async def _count(connection: AsyncConnection, table: Table, where: ColumnElement[bool]) -> int:
    return int((await connection.execute(select(func.count()).select_from(table).where(where))).scalar_one())


async def _messages(
    connection: AsyncConnection,
    names: Collection[str],
    named: Collection[str],
    own: Collection[str],
    author_of: AuthorOf,
) -> list[StoredMessage]:
    """Return a person's messages. In a group where no one else has asked yet, somebody else's may wait."""

    def is_theirs(row: Any) -> bool:
        if row.conversation_id in named:
            return True
        author = f"{row.adapter}:{row.held_for}" if row.held_for is not None else author_of(row.adapter, row.payload)
        return row.conversation_id in own if author is None else pseudonym(author) in names

    rows = await connection.execute(select(messages).where(messages.c.payload.is_not(None)).order_by(messages.c.id))
    return [
        StoredMessage(row.id, row.adapter, row.key, row.conversation_id, row.payload, row.album)
        for row in rows
        if is_theirs(row)
    ]


async def _standings(connection: AsyncConnection, names: Collection[str]) -> list[KnownPerson]:
    rows = (await connection.execute(select(people).order_by(people.c.platform, people.c.person))).all()
    return [
        KnownPerson(row.platform, row.person, Standing(row.standing), row.since)
        for row in rows
        if pseudonym(f"{row.platform}:{row.person}") in names
    ]
