"""Mark a question with a reaction until it is answered, where the platform has reactions.

A reaction never delays an answer, and what goes wrong with one harms nothing. What a killed process left is removed
when its question is answered after the restart.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from bots.conversing.delivery_errors import Refused, RetryLater, WriteFailed
from core.bounded_dict import BoundedDict
from core.stored_message import StoredMessage

log = logging.getLogger(__name__)
MOST_CHATS_WITHOUT = 1000  # remembered chats that allow no reactions
REMOVAL_SECONDS = 2.0  # how long the next message of a conversation waits for it; it goes on in the background
REMOVAL_ATTEMPTS = 5
LONGEST_PAUSE_SECONDS = 120.0  # between two attempts, whatever the platform asks for


@dataclass(frozen=True, slots=True)
class Spot:
    """A message that can get a reaction, by the platform's ids."""

    chat: str
    message: str


class Unsupported(Refused):
    """The platform lets the bot react to no message at all."""


class Reacting(Protocol):
    """How a platform sets the bot's reaction. Both raise `RetryLater`, `Refused` or `Unsupported`.

    Both may be repeated: what is there already, or gone already, is no error that matters. At most `most` messages have
    one at a time.
    """

    most: int

    async def add(self, spot: Spot) -> None: ...

    async def remove(self, spot: Spot) -> None: ...


async def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class _Mark:
    """A reaction to the message `key`. `adding` returns whether it may be there."""

    key: str
    conversation_id: str
    adding: asyncio.Task[bool]


class Reactions:
    """The reactions of one platform; none at all without a `platform`.

    Only messages count that are `open`, which a key tells: they wait, or are being worked on. So whatever becomes of a
    message, it takes no other one's reaction for ever.
    """

    def __init__(self, platform: Reacting | None, is_open: Callable[[str], bool]) -> None:
        self._platform = platform
        self._is_open = is_open
        self._shown: dict[Spot, _Mark] = {}
        self._removing: set[asyncio.Task[None]] = set()
        self._chats_without: BoundedDict[str, None] = BoundedDict(MOST_CHATS_WITHOUT)
        self._paused_until = 0.0  # loop time

    def show(
        self, spot: Spot | None, key: str, conversation_id: str, may: Callable[[], Awaitable[bool]] = _always
    ) -> None:
        """Begin to mark the message `key`, and return at once. Nothing is shown unless the person `may` ask."""
        if spot is None or self._platform is None or spot in self._shown:
            return
        if spot.chat in self._chats_without or self._paused_until > asyncio.get_running_loop().time():
            return
        if len(self._shown) >= self._platform.most:
            self._shown = {shown: mark for shown, mark in self._shown.items() if self._is_open(mark.key)}
        if len(self._shown) < self._platform.most:
            adding = asyncio.create_task(self._add(self._platform, spot, may))
            self._shown[spot] = _Mark(key, conversation_id, adding)

    @asynccontextmanager
    async def until_answered(self, spot: Spot | None, message: StoredMessage) -> AsyncIterator[None]:
        """Remove the mark at the end of the block. It stays if the message will be tried again."""
        try:
            yield
        except Refused:
            await self.remove(spot, message)
            raise
        await self.remove(spot, message)

    async def remove(self, spot: Spot | None, message: StoredMessage) -> None:
        """Remove the mark, also one that an earlier run has left."""
        if spot is None or not (spot in self._shown or message.resumed):
            return
        if removing := self._remove_soon(spot, left=message.resumed):
            await asyncio.wait({removing}, timeout=REMOVAL_SECONDS)

    def remove_all(self, conversation_id: str) -> None:
        """Begin to remove all marks of a conversation, whose questions are forgotten."""
        for spot in [spot for spot, mark in self._shown.items() if mark.conversation_id == conversation_id]:
            self._remove_soon(spot)

    async def close(self) -> None:
        """End. Marks of unanswered messages stay for the next start."""
        if self._removing:
            await asyncio.wait(self._removing, timeout=REMOVAL_SECONDS)
        tasks = [*self._removing, *(mark.adding for mark in self._shown.values())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _add(self, platform: Reacting, spot: Spot, may: Callable[[], Awaitable[bool]]) -> bool:
        """Return whether the reaction may be there. If it is not, another message may have one."""
        shown = await self._try_to_add(platform, spot, may)
        mark = self._shown.get(spot)
        if not shown and mark is not None and mark.adding is asyncio.current_task():
            del self._shown[spot]
        return shown

    async def _try_to_add(self, platform: Reacting, spot: Spot, may: Callable[[], Awaitable[bool]]) -> bool:
        try:
            if not await may():
                return False
            await platform.add(spot)
        except RetryLater as later:  # not worth a second attempt: the answer may be there by then
            self._paused_until = asyncio.get_running_loop().time() + later.seconds
            return isinstance(later, WriteFailed)
        except Unsupported as error:
            log.warning("no reactions, since the platform does not allow them: %s", error)
            self._platform = None
            return False
        except Refused as error:
            self._remember_without(spot.chat, error)
            return False
        except Exception as error:
            log.warning("a reaction failed: %s", type(error).__name__)
        return True

    def _remember_without(self, chat: str, error: Refused) -> None:
        if chat not in self._chats_without:
            log.info("no reactions in chat %s: %s", chat, error)
        self._chats_without[chat] = None

    def _remove_soon(self, spot: Spot, left: bool = False) -> asyncio.Task[None] | None:
        if self._platform is None:
            return None
        mark = self._shown.pop(spot, None)
        removing = asyncio.create_task(self._remove(self._platform, spot, mark.adding if mark else None, left))
        self._removing.add(removing)
        removing.add_done_callback(self._removing.discard)
        return removing

    async def _remove(self, platform: Reacting, spot: Spot, adding: asyncio.Task[bool] | None, left: bool) -> None:
        if adding is not None and not await adding and not left:
            return
        for _ in range(REMOVAL_ATTEMPTS):
            try:
                await platform.remove(spot)
                return
            except RetryLater as later:
                await asyncio.sleep(min(later.seconds, LONGEST_PAUSE_SECONDS))
            except Refused as error:  # there is none, or its message is gone
                log.debug("a reaction is not removed: %s", error)
                return
            except Exception as error:
                log.warning("a reaction could not be removed: %s", type(error).__name__)
                return
