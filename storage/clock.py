"""Tell the time to everything that is dated or expires.

The machine's clock may be wrong, after an empty battery, a restored snapshot or a mistake. So the time last seen is
stored. A clock that does not fit it is in doubt, and nothing expires until the clock has been consistent for a day or
the operator says that it is right. Only the operator can set the time back: what is dated by a slow clock would expire
as soon as the clock is right again.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.uptime import uptime
from storage.schema import clock, conversations, messages, turns

HOUR_SECONDS, DAY_SECONDS, WEEK_SECONDS = 3600.0, 86_400.0, 604_800.0
DATES = (conversations.c.updated, messages.c.created, turns.c.created)


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of the time.

    `seen` is the least it can be, `wall` is what the clock said; they differ when in doubt. `doubted_from` is what
    `seen` was when the clock was first found to be ahead.
    """

    seen: float
    wall: float
    doubted_from: float | None = None

    @property
    def doubtful(self) -> bool:
        return self.seen != self.wall

    def followed_by(self, wall: float, elapsed: float | None) -> "Reading":
        """Return the next reading, `elapsed` seconds later.

        After a restart `elapsed` is None: it may have been a week.
        """
        expected = self.seen + (elapsed or 0.0)
        slack = WEEK_SECONDS if elapsed is None else HOUR_SECONDS
        if -HOUR_SECONDS <= wall - expected <= slack:
            return Reading(wall, wall)
        if wall < expected:
            return Reading(expected, wall)
        moved = wall - self.wall - (elapsed or 0.0)
        same = self.doubted_from is not None and -HOUR_SECONDS <= moved <= slack
        since = self.doubted_from if same and self.doubted_from is not None else expected
        return Reading(wall, wall) if expected - since >= DAY_SECONDS else Reading(expected, wall, since)

    def __str__(self) -> str:
        """Return what the operator should know, or "" if there is no doubt."""
        if not self.doubtful:
            return ""
        said, seen = (time.strftime("%Y-%m-%d %H:%M", time.gmtime(moment)) for moment in (self.wall, self.seen))
        if self.wall < self.seen:
            return (
                f"The clock says {said} UTC, but it was {seen} before. Nothing expires until it is right, or until "
                "`bots expire --yes` says that it is."
            )
        days = (self.wall - self.seen) / DAY_SECONDS
        return (
            f"The clock says {said} UTC, {days:.1f} days later than it should be ({seen}). Nothing expires for a day, "
            "or until `bots expire --yes` says that the clock is right."
        )


class Clock:
    """Tells the time in seconds since 1970.

    Without `wall` it reads PostgreSQL's own clock where there is one, so that replicas agree. Call `start` before it is
    used, and `observe` from time to time.
    """

    def __init__(self, wall: Callable[[], float] | None = None, elapsed: Callable[[], float] = uptime) -> None:
        self.reading = Reading(0.0, 0.0)
        self._wall = wall
        self._here = wall or time.time
        self._elapsed = elapsed
        self._read_at: float | None = None  # by `elapsed`
        self._read_here = 0.0
        self._stored: Reading | None = None  # to notice when another process stores a reading

    def now(self) -> float:
        """Return the time for dating something."""
        return max(self.reading.seen, self.reading.wall) + self._since()

    def certain(self) -> float:
        """Return the least that the time can be."""
        return self.reading.seen + self._since()

    def said(self) -> float:
        """Return what the clock says, right or wrong."""
        return self.reading.wall + self._since()

    def jumped(self) -> bool:
        """Return whether this machine's clock was moved since it was read."""
        return abs(self._here() - self._read_here - self._since()) > HOUR_SECONDS

    async def start(self, connection: AsyncConnection) -> None:
        """Read the clock without storing anything."""
        wall, stored = await self._read_wall(connection), await _stored(connection)
        if self._read_at is not None and stored == self._stored:
            self._keep(self.reading.followed_by(wall, self._since()), stored)
            return
        known = stored or await _newest(connection) or Reading(wall, wall)
        self._keep(known.followed_by(wall, None), stored)

    async def observe(self, connection: AsyncConnection) -> None:
        """Read the clock and store what it says. Dates in the future, from a wrong clock, are corrected."""
        await self.start(connection)
        await self._store(connection)

    async def believe(self, connection: AsyncConnection) -> None:
        """Read and store the time like `observe`, but trust it: the operator has confirmed it."""
        wall = await self._read_wall(connection)
        self._keep(Reading(wall, wall), None)
        await self._store(connection)

    def _since(self) -> float:
        return self._elapsed() - (self._read_at or 0.0)

    def _keep(self, reading: Reading, stored: Reading | None) -> None:
        self._read_at, self._read_here = self._elapsed(), self._here()
        self.reading, self._stored = reading, stored

    async def _store(self, connection: AsyncConnection) -> None:
        reading = self._stored = self.reading
        await connection.execute(delete(clock))
        await connection.execute(insert(clock).values(id=1, **asdict(reading)))
        if not reading.doubtful:
            for date in DATES:
                await connection.execute(
                    update(date.table).where(date > reading.seen + HOUR_SECONDS).values({date: reading.seen})
                )

    async def _read_wall(self, connection: AsyncConnection) -> float:
        if self._wall is None and connection.dialect.name == "postgresql":
            return float((await connection.execute(text("SELECT extract(epoch FROM clock_timestamp())"))).scalar_one())
        return self._here()


async def _stored(connection: AsyncConnection) -> Reading | None:
    row = (await connection.execute(select(clock.c.seen, clock.c.wall, clock.c.doubted_from).limit(1))).first()
    return None if row is None else Reading(*row)


async def _newest(connection: AsyncConnection) -> Reading | None:
    """Return a reading from the newest date in a database of an earlier version."""
    dates = [(await connection.execute(select(func.max(date)))).scalar() for date in DATES]
    newest = max((date for date in dates if date is not None), default=None)
    return None if newest is None else Reading(newest, newest)
