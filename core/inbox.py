"""Store incoming messages before the platform is told that they arrived, then process them.

Messages are handled in order within a conversation; conversations run in parallel. Unfinished messages are taken up
after a restart. The inbox knows no platform: a payload is the adapter's own JSON.
"""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import takewhile

from core import trace
from core.attempts import PAUSES_SECONDS, Attempts, Handler
from core.errors import StoreDown
from core.lane import Lane
from core.lease import LeaseLost
from core.leases import Leases
from core.single_replica import SingleReplica
from core.stored_message import Mailbox, OpenMessage, StoredMessage
from core.wish import Wish

log = logging.getLogger(__name__)
ALBUM_SETTLE_SECONDS = 60.0  # longest wait for an album while its platform cannot be reached
DOWN_SECONDS = 1.0  # between two attempts to read the database of a single service


@dataclass(frozen=True, slots=True)
class Gathering:
    """When an album is complete. Albums have no end marker.

    It is complete when nothing more came for `seconds` and, if `settled` is given, the platform has delivered all it
    had.
    """

    seconds: float = 1.0
    settled: asyncio.Event | None = None


class Inbox:
    """One adapter's messages.

    `handler` gets one message, or all of one album, as often as `core.attempts` says. `forgets` tells by a payload
    whether the message is a command to forget, and may raise `StoreDown`. Such a message is next: what waits in its
    conversation is dropped, and running work is cancelled. Its own work deletes what is stored. Only conversations that
    `leases` lets this replica hold are worked on; `released` is told what is left to another one. `shows` shows a
    message to those who read its answer at another one.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        adapter: str,
        handler: Handler,
        gathering: Callable[[str], Gathering] = lambda group: Gathering(),
        gather_limit_s: float = 10.0,
        pauses_s: Sequence[float] = PAUSES_SECONDS,  # not empty
        forgets: Callable[[str], Awaitable[bool]] | None = None,
        leases: Leases = SingleReplica(),
        released: Callable[[Sequence[StoredMessage]], None] = lambda messages: None,
        shows: Callable[[StoredMessage], object] = lambda message: None,
    ) -> None:
        self.mailbox = mailbox
        self._adapter = adapter
        self._attempts = Attempts(mailbox, adapter, handler, pauses_s, leases.shared)
        self._gathering = gathering
        self._gather_limit_s = gather_limit_s
        self._forgets = forgets
        self._leases = leases
        self._released = released
        self._shows = shows
        self._kept: dict[int, str] = {}  # messages that are kept for the next start, and their conversations, by ids
        self._lanes: dict[str, Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        leases.listen(adapter, self._notice)

    async def resume(self) -> int:
        """Take up what the last run did not finish. Call this before any message is received."""
        messages = await self.mailbox.unfinished(self._adapter)
        forgetting = [await self._resumes_forget(message) for message in messages]
        for message, forgets in zip(messages, forgetting, strict=True):
            lane = self._lanes.get(message.conversation_id)
            if lane is None or not lane.has(message):  # else it was held, and its asker was let in just now
                self._enqueue(replace(message, resumed=True), forgets)
        return len(messages)

    async def receive(
        self, key: str, conversation_id: str, payload: str, group: str | None = None, digest: str | None = None
    ) -> bool:
        """Store a message, and return once it is on disk. Return False if it had been received before."""
        forgets = await self._is_forget(payload)  # before `put`, because a stored message must always be taken up
        message = await self.mailbox.put(self._adapter, key, conversation_id, payload, group, digest)
        if message is None:
            return False
        self._enqueue(message, forgets)
        return True

    def take_up(self, message: StoredMessage) -> None:
        """Process a message that is already on disk, or on none."""
        self._enqueue(message, forgets=False)

    def try_again(self, message: StoredMessage) -> None:
        """Process a message at once if it is kept for the next start."""
        if message.id in self._kept:
            self._enqueue(replace(message, resumed=True), forgets=False)

    def take_up_again(self, message: StoredMessage) -> None:
        """Process a finished message that was reopened in the database, like after a restart.

        If it is still being worked on, the work starts again.
        """
        lane = self._lanes.get(message.conversation_id)
        if lane is None or not lane.start_again(message.key):
            self._enqueue(replace(message, resumed=True), forgets=False)

    def waiting(self, conversation_id: str) -> int:
        """Return how many messages of a conversation are unfinished, including the one being worked on."""
        lane = self._lanes.get(conversation_id)
        return len(lane.messages) if lane else 0

    def kept(self, conversation_id: str) -> int:
        """Return how many messages of a conversation are kept for the next start: unfinished, and not waiting."""
        return list(self._kept.values()).count(conversation_id)

    async def is_busy(self, conversation_id: str) -> bool:
        """Return whether messages of a conversation wait or are worked on, at whichever replica."""
        if self.waiting(conversation_id):
            return True
        stored = await self.mailbox.unfinished_in(self._adapter, conversation_id) if self._leases.shared else []
        return any(message.id not in self._kept for message in stored)

    def first(self, conversation_id: str) -> StoredMessage | None:
        """Return the message of a conversation that this replica works on, or will next."""
        lane = self._lanes.get(conversation_id)
        if lane is None or not lane.messages or (self._leases.shared and not lane.held):
            return None
        return lane.messages[0]

    async def last(self, conversation_id: str) -> StoredMessage | None:
        """Return the last unfinished message of a conversation, also of one that another replica holds."""
        lane = self._lanes.get(conversation_id)
        if lane and lane.messages:
            return lane.messages[-1]
        stored = await self.mailbox.unfinished_in(self._adapter, conversation_id) if self._leases.shared else []
        return stored[-1] if stored else None

    def find(self, key: str) -> StoredMessage | None:
        """Return a message that is not finished."""
        found = (message for lane in self._lanes.values() for message in lane.messages if message.key == key)
        return next(found, None)

    def note_posted(self, message: StoredMessage) -> None:
        """Note what carries the answer to a message by now."""
        if (lane := self._lanes.get(message.conversation_id)) is not None:
            lane.note_posted(message.key, message.posted_ids)

    async def revise(self, message: StoredMessage, payload: str, digest: str | None = None) -> bool:
        """Replace the payload of an unfinished message, on disk too. Work on it that has begun starts again.

        Return False if that work is done: once the message is finished, or has to be tried again. Raises `StoreDown`.
        """
        lane = self._lanes.get(message.conversation_id)
        if lane is None:
            return False
        if not lane.start_again(message.key, payload=payload, digest=digest):
            if lane.has(message):
                await lane.settled.wait()
            return False
        await self.mailbox.rewrite(message.id, payload, digest)
        return True

    def withdraw(self, key: str) -> bool:
        """Cancel the work on a message, then call `handler` again to clean up. Return False if it is finished."""
        found = self.find(key)
        if found is not None and not found.withdrawn:
            self._lanes[found.conversation_id].change(key, withdrawn=True)
        return found is not None

    async def close(self) -> None:
        """Cancel the work. Unfinished messages stay on disk, and so does what comes later."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _is_forget(self, payload: str) -> bool:
        return self._forgets is not None and await self._forgets(payload)

    async def _resumes_forget(self, message: StoredMessage) -> bool:
        """Return whether a stored message is a command to forget. A damaged message must not stop the others."""
        try:
            return await self._is_forget(message.payload)
        except StoreDown:
            raise
        except Exception as error:
            log.error("message %s cannot be read: %s", message.key, trace.without_words(error))
            return False

    def _enqueue(self, message: StoredMessage, forgets: bool) -> None:
        if self._closed:
            return
        self._kept.pop(message.id, None)
        before = self._lanes.get(message.conversation_id)
        if before is not None and not forgets:
            # With replicas it may have been found in the database a moment ago; a reopened one is found there later.
            # Here a message that is let in while its end is stored is worked on once more.
            if not (self._leases.shared and before.has(message)):
                before.messages.append(message)
                before.stale |= self._leases.shared  # an earlier one may have reached another replica a moment ago
            return
        after = before.give_up() if before else set()
        self._begin(message.conversation_id, Lane(deque([message]), after, forget_id=message.id if forgets else 0))

    def _begin(self, conversation_id: str, lane: Lane) -> None:
        lane.stale |= self._leases.shared
        self._lanes[conversation_id] = lane
        lane.task = asyncio.create_task(self._process(conversation_id, lane))
        self._tasks.add(lane.task)
        lane.task.add_done_callback(self._tasks.discard)

    async def _process(self, conversation_id: str, lane: Lane) -> None:
        try:
            if lane.after:
                await asyncio.wait(lane.after)
            async with self._leases.hold(conversation_id):
                lane.held = True
                while lane.messages or lane.stale:
                    await self._refresh(conversation_id, lane)
                    if lane.messages:
                        await self._process_next(conversation_id, lane)
        except (LeaseLost, StoreDown):
            self._released(lane.messages)
        finally:
            if self._lanes.get(conversation_id) is lane:
                del self._lanes[conversation_id]
            lane.settle()

    async def _process_next(self, conversation_id: str, lane: Lane) -> None:
        if not (batch := await self._gather(conversation_id, lane)):
            return
        lane.working = len(batch)
        trace.set_current(batch[0].key)
        if not await self._attempts.work(batch, lane):
            self._kept |= {message.id: conversation_id for message in batch}
        lane.working = 0
        for _ in batch:
            lane.messages.popleft()
        lane.settle()

    def _notice(self, found: Sequence[OpenMessage]) -> None:
        """Take up messages that other replicas stored or left, or that seemed not to be stored.

        A command to forget the conversation does not wait.
        """
        unfinished: dict[str, list[OpenMessage]] = defaultdict(list)
        for message in found:
            if message.id not in self._kept:
                unfinished[message.conversation_id].append(message)
        for conversation_id, messages in unfinished.items():
            lane = self._lanes.get(conversation_id)
            if lane is None and not self._closed:
                self._begin(conversation_id, Lane(deque(), set(), stale=True))
            elif lane:
                self._obey_wishes(lane, messages)
                new = {message.id for message in messages} - lane.noticed - {message.id for message in lane.messages}
                lane.noticed |= new
                lane.stale |= bool(new)
                if new or any(map(lane.is_older, messages)):
                    task = asyncio.create_task(self._read_again(conversation_id, lane, new))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)

    def _obey_wishes(self, lane: Lane, found: Sequence[OpenMessage]) -> None:
        """Do with messages what somebody wants of them at another replica."""
        noted = {message.id: message for message in found if message.wish or message.followed}
        for message in list(lane.messages):
            if (note := noted.get(message.id)) is None:
                continue
            if note.followed:
                self._shows(message)
            if note.wish == Wish.WITHDRAW:
                self.withdraw(message.key)
            elif note.wish == Wish.STOP and note.digest == message.digest:  # it is about these words
                message.stop.request()

    async def _read_again(self, conversation_id: str, lane: Lane, new: Collection[int]) -> None:
        """Forget a conversation if a new message says so. Take over the newer words of those that wait here."""
        with suppress(StoreDown):
            for message in await self.mailbox.unfinished_in(self._adapter, conversation_id):
                if message.id in new and await self._resumes_forget(message):
                    self._enqueue(replace(message, resumed=True), forgets=True)
                elif lane.is_older(message):
                    lane.start_again(message.key, payload=message.payload, digest=message.digest, stop=message.stop)

    async def _refresh(self, conversation_id: str, lane: Lane) -> None:
        """Bring a lane up to date with what the database knows, while nothing of it is worked on."""
        while lane.stale:
            lane.stale = False
            try:
                await self._read_lane(conversation_id, lane)
            except StoreDown:
                if self._leases.shared:
                    raise  # the next look finds all of it again, here or elsewhere
                lane.stale = True
                await asyncio.sleep(DOWN_SECONDS)

    async def _read_lane(self, conversation_id: str, lane: Lane) -> None:
        before = {message.id for message in lane.messages}
        stored = await self.mailbox.unfinished_in(self._adapter, conversation_id)
        for message in stored:
            if message.id not in before | self._kept.keys() and await self._resumes_forget(message):
                lane.forget_id = max(lane.forget_id, message.id)
        lane.merge([message for message in stored if message.id not in self._kept.keys() - before], before)

    async def _gather(self, conversation_id: str, lane: Lane) -> list[StoredMessage]:
        """Return the first message, or all messages of its album that follow directly."""
        group = lane.messages[0].group
        if group is None:
            return [lane.messages[0]]
        gathering = self._gathering(group)
        waited, size = 0.0, 0
        while size != len(lane.messages) and waited < self._gather_limit_s:
            size = len(lane.messages)
            await asyncio.sleep(gathering.seconds)
            waited += gathering.seconds
            if gathering.settled is not None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(ALBUM_SETTLE_SECONDS):
                        await gathering.settled.wait()
            await self._refresh(conversation_id, lane)
        return list(takewhile(lambda message: message.group == group, lane.messages))
