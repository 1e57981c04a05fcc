"""Define a message from a person as it is stored, and where it is stored."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from core.stop import Stop


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message from a person. `key` is unique among all adapters; `group` ties an album together.

    `posted_ids` are the platform's ids of the messages that already carry its answer, in order. After a restart these
    are edited, not sent again. `digest` is of its content, if it can be edited. `resumed` is true for messages that an
    earlier run received, or an earlier attempt began: what it posted may not be stored. `withdrawn` is true for those
    that no one wants answered any more, and `stop` tells whether the answer is to stop. A message that is on no disk,
    because its sender waits for it, has the `id` 0.
    """

    id: int
    adapter: str
    key: str
    conversation_id: str
    payload: str
    group: str | None = None
    posted_ids: tuple[str, ...] = ()
    digest: str | None = None
    arrived: float = field(default_factory=time.monotonic, compare=False)  # in this process
    resumed: bool = field(default=False, compare=False)
    withdrawn: bool = field(default=False, compare=False)
    stop: Stop = field(default_factory=Stop, compare=False)


@dataclass(frozen=True, slots=True)
class TornAlbum:
    """What was asked by the pieces of an album that came before the others, or before these were edited.

    `words` are "" if these were kept for a later question, or refused. `superseded_key` is the key under which their
    answer is kept, since all of the album is to be answered, in the messages `posted_ids`.
    """

    words: str = ""
    posted_ids: tuple[str, ...] = ()
    superseded_key: str | None = None


class Mailbox(Protocol):
    """What an inbox writes to: `storage.store.Store`, or the tests' list."""

    async def put(
        self,
        adapter: str,
        key: str,
        conversation_id: str,
        payload: str,
        group: str | None = None,
        digest: str | None = None,
    ) -> StoredMessage | None:
        """Store a message. Return None if its key was seen before, also before a restart."""
        ...

    async def unfinished(self, adapter: str) -> list[StoredMessage]:
        """Return the unfinished messages, oldest first."""
        ...

    async def unfinished_in(self, adapter: str, conversation_id: str) -> list[StoredMessage]:
        """Return a conversation's unfinished messages, oldest first."""
        ...

    async def record_posted(self, message_id: int, posted_ids: Sequence[str]) -> None: ...

    async def rewrite(self, message_id: int, payload: str, digest: str | None = None) -> None:
        """Replace the payload of an unfinished message, and the digest of it."""
        ...

    async def finish(self, message_ids: Sequence[int], digests: Collection[str] | None = None) -> None:
        """Mark messages as finished: drop their payloads, but keep their keys to recognize repeated deliveries.

        With `digests` messages that another replica has rewritten, to a digest that is none of these, stay unfinished.
        """
        ...


class OpenMessage(NamedTuple):
    """An unfinished message that no other replica works on. For `digest` see `core.inbox`."""

    id: int
    adapter: str
    conversation_id: str
    digest: str | None = None
    wish: str | None = None  # see `core.wish`
    followed: bool = False  # whether somebody reads along at another replica
