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
from dataclasses import dataclass, field, replace
from itertools import count, takewhile
from typing import Protocol

from core import trace
from core.errors import Interrupted, StoreDown

log = logging.getLogger(__name__)
SETTLE_S = 60.0  # an album is not held longer than that while its platform cannot be reached


@dataclass(frozen=True, slots=True)
class Message:
    """Something a person sent. `key` is unique among all adapters; `group` ties an album together.

    `sent` are the platform's ids of the messages that already carry its answer, in order: after a restart they are
    edited, not sent again. `resumed` is what an earlier run received.
    """

    id: int
    adapter: str
    key: str
    conversation_id: str
    payload: str
    group: str | None = None
    sent: tuple[str, ...] = ()
    arrived: float = field(default_factory=time.monotonic, compare=False)  # in this process
    resumed: bool = field(default=False, compare=False)


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

    async def rewrite(self, message_id: int, payload: str) -> None:
        """Give a message that is not finished another payload."""
        ...

    async def finish(self, message_ids: Sequence[int]) -> None:
        """Done with: the payload is dropped, the key is kept so that a re-delivery is known."""
        ...


Work = Callable[[Sequence[Message]], Awaitable[None]]


class TakenBack(Exception):
    """Raised by `Work`: what it worked on is not on disk any more. SQLite may have given its id to the next message,
    which must not be finished in its place."""


@dataclass(frozen=True, slots=True)
class Gathering:
    """When a group is whole, as none has an end marker: nothing more came for `seconds`, and where `settled` is known,
    the platform has handed over what it had."""

    seconds: float = 1.0
    settled: asyncio.Event | None = None


@dataclass(slots=True)
class _Lane:
    """What one conversation waits for, the message being worked on included."""

    messages: deque[Message]
    after: set[asyncio.Task[None]]  # what was given up for it and still ends
    task: asyncio.Task[None] | None = None
    working: int = 0  # how many of the messages, from the first, are being worked on
    attempt: asyncio.Future[None] | None = None
    revised: bool = False  # that attempt is given up for new words

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
        gathering: Callable[[str], Gathering] = lambda group: Gathering(),
        gather_limit_s: float = 10.0,
        pauses_s: Sequence[float] = (1, 5, 30),  # not empty
        clears: Callable[[str], Awaitable[bool]] | None = None,
    ) -> None:
        self.mailbox = mailbox
        self._adapter = adapter
        self._work = work
        self._gathering = gathering
        self._gather_limit_s = gather_limit_s
        self._pauses_s = pauses_s  # before each further attempt at what raised
        self._clears = clears
        self._lanes: dict[str, _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def resume(self) -> int:
        """Take up what the last run did not finish; call before anything new is received."""
        messages = await self.mailbox.unfinished(self._adapter)
        clearing = [await self._resumes_clearing(message) for message in messages]
        for message, clears in zip(messages, clearing, strict=True):
            self._enqueue(replace(message, resumed=True), clears)
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

    def last(self, conversation_id: str) -> Message | None:
        """Return what came last of a conversation's messages that are not finished."""
        lane = self._lanes.get(conversation_id)
        return lane.messages[-1] if lane and lane.messages else None

    async def revise(
        self, conversation_id: str, is_same: Callable[[str], bool], payload: str, may_restart: Callable[[], bool]
    ) -> bool:
        """Give a message that waits another payload, on disk too; one that is worked on begins anew if it may.

        Return False when it is too late. Raises `StoreDown`.
        """
        lane = self._lanes.get(conversation_id)
        found = [message for message in lane.messages if is_same(message.payload)] if lane else []
        if lane is None or not found or (found[0] in _worked_on(lane) and not may_restart()):
            return False
        await self.mailbox.rewrite(found[0].id, payload)
        for index, message in enumerate(lane.messages):
            if message.id == found[0].id:
                lane.messages[index] = replace(message, payload=payload)
                if index < lane.working and lane.attempt:
                    lane.revised = lane.attempt.cancel()
                return True
        return False

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
            log.error("message %s cannot be read: %s", message.key, trace.without_words(error))
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
                lane.working = len(batch)
                trace.begin(batch[0].key)
                await self._finish(batch, lane)
                lane.working = 0
                for _ in batch:
                    lane.messages.popleft()
        finally:
            if self._lanes.get(conversation_id) is lane:
                del self._lanes[conversation_id]

    async def _finish(self, batch: Sequence[Message], lane: _Lane) -> None:
        """Tries again while the disk is full or the like, in the message's place in line."""
        ids = [message.id for message in batch]
        failures = 0
        for attempt in count():
            pause = self._pauses_s[min(attempt, len(self._pauses_s) - 1)]
            try:
                lane.attempt = asyncio.ensure_future(self._work(batch))
                await lane.attempt
                await self.mailbox.finish(ids)
                return
            except TakenBack:
                return
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not lane.revised or (task and task.cancelling()):
                    raise
                lane.revised, pause = False, 0
            except Interrupted as error:  # however long that lasts: nobody has been answered, and nothing is lost
                log.warning("message %s has to wait, %d s more: %s", batch[0].key, pause, error)
            except Exception as error:
                failures += 1
                told = trace.without_words(error)
                if failures > len(self._pauses_s):
                    log.error("message %s is kept for the next start: %s", batch[0].key, told)
                    return
                log.warning("message %s failed and is tried again in %d s: %s", batch[0].key, pause, told)
            await asyncio.sleep(pause)
            batch = _worked_on(lane)
            with suppress(Exception):  # what was sent meanwhile is edited, not sent again
                unfinished = await self.mailbox.unfinished(self._adapter)
                batch = [message for message in unfinished if message.id in ids]
                if not batch:
                    return  # it was forgotten meanwhile, or is too old to be kept

    async def _gather(self, lane: deque[Message]) -> list[Message]:
        """The first message, or with `group` everything of its album that follows at once."""
        group = lane[0].group
        if group is None:
            return [lane[0]]
        gathering = self._gathering(group)
        waited, size = 0.0, 0
        while size != len(lane) and waited < self._gather_limit_s:
            size = len(lane)
            await asyncio.sleep(gathering.seconds)
            waited += gathering.seconds
            if gathering.settled is not None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(gathering.settled.wait(), SETTLE_S)
        return list(takewhile(lambda message: message.group == group, lane))


def _worked_on(lane: _Lane) -> list[Message]:
    return list(lane.messages)[: lane.working]
