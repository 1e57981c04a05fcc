"""Follow questions that change in Slack before their answers are complete.

An edited question counts with its new words. Of the answer to a deleted question nothing stays.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from bots.conversing.draft import Refused
from bots.conversing.store import Store
from bots.slack.access import Declined
from bots.slack.api import SlackApi, patiently
from bots.slack.message import Message
from bots.slack.place import Place
from bots.slack.signature import left_behind
from bots.slack.threads import Threads
from core import inbox
from core.errors import BotError

log = logging.getLogger(__name__)
POLL_SECONDS = 0.2  # between two checks whether an answer has ended


class Questions:
    def __init__(self, slack: SlackApi, store: Store, threads: Threads) -> None:
        self._slack = slack
        self._store = store
        self._threads = threads
        self._working: dict[str, asyncio.Task[None]] = {}  # by key, as the others
        self._edited: set[str] = set()
        self._deleted: set[str] = set()

    async def waits(self, key: str) -> bool:
        """Return whether the question's answer is not complete yet."""
        return any(message.key == key for message in await self._store.unfinished("slack"))

    async def edit(self, key: str) -> None:
        """Note that a question has new words, until it is answered or forgotten."""
        waiting = {message.key for message in await self._store.unfinished("slack")}
        self._edited = (self._edited | {key}) & waiting

    def expect_deletion(self, key: str) -> None:
        """Note at a start that a question was deleted, before anything is answered."""
        self._deleted.add(key)

    async def delete(self, key: str) -> None:
        """Delete a question, and return once nothing is written for it any more."""
        while await self.waits(key):
            if key not in self._deleted and (task := self._working.get(key)):
                task.cancel()
            self._deleted.add(key)
            await asyncio.sleep(POLL_SECONDS)
        self._deleted.discard(key)

    async def current(self, message: inbox.Message, asked: Message, resumed: bool) -> Message | None:
        """Return the question as it is in Slack now, or None if it was deleted.

        What an earlier run began is continued.
        """
        if not resumed and message.key not in self._edited:
            return asked
        standing = await self._threads.standing(asked)
        if standing is None:
            self._deleted.add(message.key)
        return asked if standing and message.sent else standing

    async def work(self, message: inbox.Message, place: Place, answer: Callable[[], Awaitable[None]]) -> None:
        """Answer a question unless it is deleted. Raises what `answer` raises."""
        try:
            if message.key not in self._deleted:
                task = self._working[message.key] = asyncio.ensure_future(_run(answer))
                await task
        except asyncio.CancelledError:
            own = asyncio.current_task()
            if message.key not in self._deleted or (own and own.cancelling()):
                self._deleted.discard(message.key)  # its conversation is forgotten, or the service ends
                raise
        finally:
            self._working.pop(message.key, None)
            self._edited.discard(message.key)
        if message.key in self._deleted:
            await self._clear(message, place)
            self._deleted.discard(message.key)

    async def _clear(self, message: inbox.Message, place: Place) -> None:
        sent = {ts for each in await self._store.unfinished("slack") if each.id == message.id for ts in each.sent}
        try:
            sent |= {left.ts for left in await patiently(partial(left_behind, self._slack, place, message.key, sent))}
            for ts in sorted(sent):
                await self._remove(place.channel, ts)
        except (BotError, Refused) as error:
            log.warning("the answer to a deleted question stays: %s", error)

    async def _remove(self, channel: str, ts: str) -> None:
        remove = partial(self._slack.call, self._slack.client.chat_delete, channel=channel, ts=ts)
        try:
            await patiently(remove)
        except Declined as declined:
            if declined.error == "message_not_found":
                return
            await patiently(partial(self._slack.call, self._slack.client.chat_stopStream, channel=channel, ts=ts))
            await patiently(remove)


async def _run(answer: Callable[[], Awaitable[None]]) -> None:
    await answer()
