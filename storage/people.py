"""Store whom admins let in or block, who waits for that, and what those who wait have asked."""

from collections.abc import Collection, Sequence

from sqlalchemy import and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.person import AccessRequest, KnownPerson, Standing
from core.stored_message import StoredMessage
from storage import messages as inbox
from storage.schema import messages, people

DAY_SECONDS = 24 * 3600.0
HOUR_SECONDS = 3600.0
TOLD_AN_HOUR = 10  # strangers of whom a platform's admins are told: many accounts must not flood them
UNDECIDED_PEOPLE = 1000  # that are kept
HELD_PER_PERSON = 20  # messages; an album has ten
HELD_IN_ALL = 1000
HELD_CHARACTERS = 64 * 1024  # of one message; a long text with what it replies to has less
UNDECIDED = (Standing.WAITING, Standing.IGNORED)


async def standings(connection: AsyncConnection, platform: str, ids: Collection[str]) -> dict[str, Standing]:
    """Return what admins decided about these people and chats of a platform. Unknown ones are left out."""
    query = select(people.c.person, people.c.standing).where(people.c.platform == platform, people.c.person.in_(ids))
    return {row.person: Standing(row.standing) for row in await connection.execute(query)}


async def known_people(connection: AsyncConnection, limit: int, platform: str | None = None) -> list[KnownPerson]:
    """Return the people about whom something is known, of all platforms or one: who waits, then the latest."""
    query = select(people).order_by((people.c.standing != Standing.WAITING), people.c.since.desc(), people.c.person)
    if platform is not None:
        query = query.where(people.c.platform == platform)
    rows = await connection.execute(query.limit(limit))
    return [KnownPerson(row.platform, row.person, Standing(row.standing), row.since) for row in rows]


async def meet(connection: AsyncConnection, now: float, person_id: str, message: StoredMessage) -> AccessRequest:
    """Note that a stranger asked something, and hold it for the time when they are let in.

    The admins are to be told once a day of each, and of a few an hour.
    """
    platform = message.adapter
    where = people.c.platform == platform, people.c.person == person_id
    row = (await connection.execute(select(people).where(*where))).first()
    if row is not None and row.standing not in UNDECIDED:
        return AccessRequest()  # an admin has decided meanwhile
    lately = row is not None and row.told is not None and now - DAY_SECONDS < row.told <= now
    if row is not None and row.standing == Standing.IGNORED and lately:
        return AccessRequest()
    if row is None:
        await _make_room(connection)
        values = {"platform": platform, "person": person_id, "standing": Standing.WAITING.value, "since": now}
        await connection.execute(insert(people).values(values))
    due = not lately and await _told_lately(connection, platform, now) < TOLD_AN_HOUR
    if due:
        changes = {"told": now, "standing": Standing.WAITING.value}
        await connection.execute(update(people).where(*where).values(changes))
    return AccessRequest(await _hold(connection, person_id, message), due)


async def decide(
    connection: AsyncConnection,
    now: float,
    platform: str,
    person_id: str,
    standing: Standing | None,
    only_from: Standing | None = None,
) -> tuple[bool, Sequence[StoredMessage]]:
    """Decide about a person or a chat; None forgets what was decided. Return whether that was done.

    Also return what is to be answered now because it was held. With `only_from`, nothing changes for those who have
    another standing.
    """
    where = people.c.platform == platform, people.c.person == person_id
    before = (await standings(connection, platform, [person_id])).get(person_id)
    if only_from is not None and before is not only_from:
        return False, ()
    if standing is None:
        await connection.execute(delete(people).where(*where))
    elif before is None:
        values = {"platform": platform, "person": person_id, "standing": standing.value, "since": now}
        await connection.execute(insert(people).values(values))
    else:
        await connection.execute(update(people).where(*where).values(standing=standing.value, since=now))
    if standing is Standing.ALLOWED:
        return True, await inbox.release(connection, platform, person_id)
    await inbox.let_go(connection, platform, person_id)
    return True, ()


async def _told_lately(connection: AsyncConnection, platform: str, now: float) -> int:
    lately = people.c.told.between(now - HOUR_SECONDS, now)
    query = select(func.count()).select_from(people).where(people.c.platform == platform, lately)
    return int((await connection.execute(query)).scalar_one())


async def _make_room(connection: AsyncConnection) -> None:
    """Forget the oldest of the people about whom no admin has decided, so that strangers cannot fill the table."""
    undecided = people.c.standing.in_(UNDECIDED)
    query = select(people.c.platform, people.c.person).where(undecided).order_by(people.c.since.desc())
    for row in (await connection.execute(query.offset(UNDECIDED_PEOPLE - 1))).all():
        await inbox.let_go(connection, row.platform, row.person)
        gone = people.c.platform == row.platform, people.c.person == row.person
        await connection.execute(delete(people).where(*gone))


async def _hold(connection: AsyncConnection, person_id: str, message: StoredMessage) -> bool:
    """Hold a message, and its whole album. Return False if too much is held already."""
    own = messages.c.id == message.id
    if message.group is not None:
        place = messages.c.adapter == message.adapter, messages.c.conversation_id == message.conversation_id
        own = or_(own, and_(*place, messages.c.album == message.group, messages.c.finished.is_(None)))
    held = messages.c.held_for.is_not(None)
    mine = held, messages.c.adapter == message.adapter, messages.c.held_for == person_id
    counts = select(func.count()).select_from(messages)
    if (await connection.execute(counts.where(*mine))).scalar_one() >= HELD_PER_PERSON:
        return False
    if (await connection.execute(counts.where(held))).scalar_one() >= HELD_IN_ALL:
        return False
    short = func.length(messages.c.payload) <= HELD_CHARACTERS
    return (await connection.execute(update(messages).where(own, short).values(held_for=person_id))).rowcount > 0
