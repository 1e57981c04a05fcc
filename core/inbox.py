"""A durable inbox: messages are written down before the platform is told that they arrived, then worked off.

In order within a conversation, conversations beside each other. What was not finished when the process died is worked
off after the restart. Knows no platform: a payload is the adapter's own JSON.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from core import trace
from core.errors import StoreDown

log = logging.getLogger(__name__)
SETTLE_S = 60.0  # an album is not held longer than that while its platform cannot be reached


@dataclass(frozen=True, slots=True)
class Message:
    """Something a person sent. `key` is unique among all adapters; `group` ties an album together.

    `sent` are the platform's ids of the messages that already carry its answer, in order: after a restart they are
    edited, not sent again.
    """

    id: int
    adapter: str
    key: str
    conversation_id: str
    payload: str
    group: str | None = None
    sent: tuple[str, ...] = ()
    arrived: float = field(default_factory=time.monotonic, compare=False)  # in this process


class Mailbox(Protocol):
    """What an inbox writes to: `storage.Store`, or the tests' list."""

    async def put(
        self, adapter: str, key: str, conversation_id: str, payload: str, group: str | None = None
    ) -> Message | None:
        """Write a message down; `None` when its key was seen before, also before a restart."""
        ...

    async def unfinished(self, adapter: str) -> list[Message]:
        """What is not finished yet, oldest first."""
        ...

    async def record_sent(self, message_id: int, sent: Sequence[str]) -> None: ...

    async def finish(self, message_ids: Sequence[int]) -> None:
        """Done with: the payload is dropped, the key is kept so that a re-delivery is known."""
        ...


Work = Callable[[Sequence[Message]], Awaitable[None]]


class TakenBack(Exception):
    """Raised by `Work`: what it worked on is not on disk any more. SQLite may have given its id to the next message,
    which must not be finished in its place."""


@dataclass(slots=True)
class _Lane:
    """What one conversation waits for, the message being worked on included."""

    messages: deque[Message]
    after: set[asyncio.Task[None]]  # what was given up for it and still ends
    task: asyncio.Task[None] | None = None

    def give_up(self) -> set[asyncio.Task[None]]:
        """Returns what has to end before anything else begins in the conversation."""
        if self.task is None:
            return self.after
        self.task.cancel()
        return self.after | {self.task}


class Inbox:
    """One adapter's messages. `work` gets one message, or all of one album; when it raises it is called again, and at
    last the messages are kept for the next start. A message whose payload `clears` its conversation goes before all
    that waits there: that is given up, what is being worked on is cancelled, and the message's own work tells the
    mailbox. `clears` may raise `StoreDown`."""

    def __init__(
        self,
        mailbox: Mailbox,
        adapter: str,
        work: Work,
        gather_s: float = 1.0,
        gather_limit_s: float = 10.0,
        pauses_s: Sequence[float] = (1, 5, 30),  # not empty
        settled: asyncio.Event | None = None,
        clears: Callable[[str], Awaitable[bool]] | None = None,
    ) -> None:
        self.mailbox = mailbox
        self._adapter = adapter
        self._work = work
        self._gather_s = gather_s  # an album has no end marker: it is over when nothing more came for so long
        self._gather_limit_s = gather_limit_s
        self._settled = settled  # whether the platform has handed over what it had; without it, that is not known
        self._pauses_s = pauses_s  # before each further attempt at what raised
        self._clears = clears
        self._lanes: dict[str, _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def resume(self) -> int:
        """Take up what the last run did not finish; call before anything new is received."""
        messages = await self.mailbox.unfinished(self._adapter)
        clearing = [await self._resumes_clearing(message) for message in messages]
        for message, clears in zip(messages, clearing, strict=True):
            self._enqueue(message, clears)
        return len(messages)

    async def receive(self, key: str, conversation_id: str, payload: str, group: str | None = None) -> bool:
        """Returns once the message is on disk; False when it had been received before."""
        clears = await self._is_clearing(payload)  # before `put`: what is on disk has to be taken up, come what may
        message = await self.mailbox.put(self._adapter, key, conversation_id, payload, group)
        if message is None:
            return False
        self._enqueue(message, clears)
        return True

    def take_up(self, message: Message) -> None:
        """Work off a message that is on disk already."""
        self._enqueue(message, clears=False)

    def waiting(self, conversation_id: str) -> int:
        """Messages of a conversation that are not finished, the one being worked on included."""
        lane = self._lanes.get(conversation_id)
        return len(lane.messages) if lane else 0

    async def close(self) -> None:
        """Cancel the work; what was not finished stays on disk."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _is_clearing(self, payload: str) -> bool:
        return self._clears is not None and await self._clears(payload)

    async def _resumes_clearing(self, message: Message) -> bool:
        """One message that cannot be understood, as the file is damaged, must not keep the others waiting."""
        try:
            return await self._is_clearing(message.payload)
        except StoreDown:
            raise
        except Exception as error:
            log.error("message %s cannot be read: %r", message.key, error)
            return False

    def _enqueue(self, message: Message, clears: bool) -> None:
        before = self._lanes.get(message.conversation_id)
        if before is not None and not clears:
            before.messages.append(message)
            return
        after = before.give_up() if before else set()
        lane = self._lanes[message.conversation_id] = _Lane(deque([message]), after)
        lane.task = asyncio.create_task(self._work_off(message.conversation_id, lane))
        self._tasks.add(lane.task)
        lane.task.add_done_callback(self._tasks.discard)

    async def _work_off(self, conversation_id: str, lane: _Lane) -> None:
        try:
            if lane.after:
                await asyncio.wait(lane.after)
            while lane.messages:
                batch = await self._gather(lane.messages)
                trace.begin(batch[0].key)
                await self._finish(batch)
                for _ in batch:
                    lane.messages.popleft()
        finally:
            if self._lanes.get(conversation_id) is lane:
                del self._lanes[conversation_id]

    async def _finish(self, batch: Sequence[Message]) -> None:
        """Tries again while the disk is full or the like, in the message's place in line."""
        ids = [message.id for message in batch]
        failures = 0
        for attempt in count():
            pause = self._pauses_s[min(attempt, len(self._pauses_s) - 1)]
            try:
                await self._work(batch)
                await self.mailbox.finish(ids)
                return
            except TakenBack:
                return
            except StoreDown as error:  # however long that lasts: nobody has been answered, and nothing is lost
                log.warning("message %s waits for the database, %d s more: %s", batch[0].key, pause, error)
            except Exception:
                failures += 1
                if failures > len(self._pauses_s):
                    log.exception("message %s is kept for the next start", batch[0].key)
                    return
                log.warning("message %s failed and is tried again in %d s", batch[0].key, pause, exc_info=True)
            await asyncio.sleep(pause)
            with suppress(Exception):  # what was sent meanwhile is edited, not sent again
                unfinished = await self.mailbox.unfinished(self._adapter)
                batch = [message for message in unfinished if message.id in ids]
                if not batch:
                    return  # it was forgotten meanwhile, or is too old to be kept

    async def _gather(self, lane: deque[Message]) -> list[Message]:
        """The first message, or with `group` everything of its album that follows at once."""
        first = lane[0]
        if first.group is not None:
            waited, size = 0.0, 0
            while size != len(lane) and waited < self._gather_limit_s:
                size = len(lane)
                await asyncio.sleep(self._gather_s)
                waited += self._gather_s
                if self._settled is not None:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._settled.wait(), SETTLE_S)
        batch = [first]
        for message in list(lane)[1:]:
            if first.group is None or message.group != first.group:
                break
            batch.append(message)
        return batch
