"""Keep the waiting messages of one conversation, in order."""

import asyncio
import math
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from core.revision import Revision
from core.stop import Stop
from core.stored_message import OpenMessage, StoredMessage


@dataclass(slots=True)
class Lane:
    """The queue of one conversation, including the message being worked on."""

    messages: deque[StoredMessage]
    after: set[asyncio.Task[None]]  # cancelled tasks that still have to end
    task: asyncio.Task[None] | None = None
    working: int = 0  # how many of the first messages are being worked on
    held: bool = False  # this replica may work on the conversation, and works on the first messages next
    attempt: asyncio.Future[None] | None = None
    revised: bool = False  # the attempt was cancelled, to start again
    stale: bool = False  # the database may know of more messages, or of fewer
    noticed: set[int] = field(default_factory=set)  # ids of such messages
    settled: asyncio.Event = field(default_factory=asyncio.Event)  # the work on the first messages is over, or failed
    forget_id: int = 0  # of the command to forget the conversation; earlier messages are dropped

    def has(self, message: StoredMessage) -> bool:
        return any(message.key == known.key for known in self.messages)

    def change(self, key: str, **changes: Any) -> bool:
        """Change a message. If it is being worked on, the work starts again, and does not know what it posted last."""
        for index, message in enumerate(self.messages):
            if message.key == key:
                begun = index < self.working
                self.messages[index] = replace(message, resumed=begun or message.resumed, **changes)
                if begun and self.attempt:
                    self.revised = self.attempt.cancel() or self.revised  # twice, before it has ended
                return True
        return False

    def start_again(self, key: str, **changes: Any) -> bool:
        """Start again with a message that waits or is being worked on. Return False if there is none.

        That somebody stopped it before does not count any more.
        """
        if self._is_done and any(message.key == key for message in self.worked_on):
            return False
        return self.change(key, **{"stop": Stop(), **changes})

    def note_posted(self, key: str, posted_ids: Sequence[str]) -> None:
        """Note what carries the answer to a message. The work on it goes on."""
        self.messages = deque(
            replace(message, posted_ids=tuple(posted_ids)) if message.key == key else message
            for message in self.messages
        )

    def settle(self) -> None:
        """Wake those who wait until the work on the first messages is over, also on disk, or begins again."""
        self.settled.set()
        self.settled = asyncio.Event()

    def is_older(self, stored: OpenMessage | StoredMessage) -> bool:
        """Return whether a message here has older words than the same one as it is stored."""
        known = next((Revision.read(message.digest) for message in self.messages if message.id == stored.id), None)
        newest = Revision.read(stored.digest)
        return known is not None and newest is not None and newest.replaces(known)

    def give_up(self) -> set[asyncio.Task[None]]:
        """Cancel the lane, and return the tasks that must end before anything else begins in the conversation."""
        if self.task is None:
            return self.after
        self.task.cancel()
        return self.after | {self.task}

    def merge(self, stored: Sequence[StoredMessage], known: Collection[int]) -> None:
        """Take over the unfinished messages as they are stored, while none of them is being worked on.

        `known` are the ids of those that were here before they were read. Later ones may have come since.
        """
        found = {message.id: message for message in stored}
        for message in self.messages:
            if message.id in found and found[message.id].stop.requested:
                message.stop.request()
        here = [
            replace(message, posted_ids=found.pop(message.id).posted_ids) if message.id in found else message
            for message in self.messages
            if not message.id or message.id in found or message.id not in known
        ]
        here += [replace(message, resumed=True) for message in found.values()]
        merged = [message for message in here if not message.id or message.id >= self.forget_id]
        self.messages = deque(sorted(merged, key=lambda message: message.id or math.inf))

    @property
    def worked_on(self) -> list[StoredMessage]:
        return list(islice(self.messages, self.working))

    @property
    def _is_done(self) -> bool:
        """Whether the work on the first messages is done, and only has to be stored as finished."""
        attempt = self.attempt
        return attempt is not None and attempt.done() and not attempt.cancelled() and attempt.exception() is None
