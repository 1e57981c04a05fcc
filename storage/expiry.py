"""Forget conversations that were not used for long, by a clock that is not in doubt."""

from collections.abc import Collection, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from storage import conversations, files, images, messages, questions, tallies
from storage.clock import DAY_SECONDS
from storage.operation import OpenDatabase


class Expiry:
    """Forgets conversations after `days`. 0 keeps them for ever."""

    def __init__(self, opened: OpenDatabase, days: float) -> None:
        self._opened = opened
        self._database = opened.database
        self._clock = opened.clock
        self._days = days

    async def expire(self) -> int:
        """Forget old conversations and message keys. Return how many conversations were forgotten.

        Nothing that waits for its answer expires, and nothing at all while the clock is in doubt. Cached results that
        belong to nothing in the database are removed as well.
        """
        await self._database.write(self._clock.observe)
        await self._database.write(tallies.expire, self._clock.certain())
        expired = await self._expire() if self._days and not self._clock.reading.doubtful else 0
        if self._opened.computed:
            self._opened.computed.keep_only(*await self._database.read(_known))
        return expired

    async def expire_now(self, unanswered: bool = False) -> int:
        """Expire by the clock as it is, because the operator says that it is right.

        With `unanswered`, unanswered questions of that age go, too.
        """
        await self._database.write(self._clock.believe)
        if unanswered and self._days:
            await self._database.write(messages.expire_unanswered, self._oldest())
        return await self.expire()

    async def expirable(self) -> tuple[int, int]:
        """Return how many conversations would expire by the clock as it is, and how many unanswered questions would."""
        if not self._days:
            return 0, 0
        moment = self._clock.said() - self._days * DAY_SECONDS
        found = await self._database.read(conversations.older_than, moment)
        return len(found), await self._database.read(messages.unanswered, moment)

    @property
    def doubt(self) -> str:
        """Why nothing expires at the moment, as a sentence for the operator, or ""."""
        return str(self._clock.reading)

    def clock_jumped(self) -> bool:
        """Return whether the clock was moved since `expire` looked at it."""
        return self._clock.jumped()

    async def _expire(self) -> int:
        moment, expired = self._oldest(), 0
        for conversation_id in await self._database.read(conversations.older_than, moment):
            image_ids = await self._database.write(_forget_old, conversation_id, moment)
            if image_ids is not None:
                self._opened.forget_computed(image_ids, conversation_id)
                expired += 1
        await self._database.write(messages.expire, moment)
        await self._database.write(files.drop_unused)
        if expired:
            await self._database.tidy()
        return expired

    def _oldest(self) -> float:
        return self._clock.certain() - self._days * DAY_SECONDS


async def _known(connection: AsyncConnection) -> tuple[Sequence[str], Sequence[str]]:
    return await conversations.every_id(connection), await images.every_id(connection)


async def _forget_old(connection: AsyncConnection, conversation_id: str, moment: float) -> Collection[str] | None:
    """Forget a conversation, or return None if it was used again meanwhile."""
    if not await conversations.is_older(connection, conversation_id, moment):
        return None
    _, image_ids = await questions.forget(connection, moment, conversation_id)
    return image_ids
