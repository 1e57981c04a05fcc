"""Know which answers of one platform are being written, and stop them at once, at whichever replica that is."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

from bots.conversing.services import Services
from core.errors import StoreDown
from core.inbox import Inbox
from core.revision import Revision
from core.stored_message import StoredMessage
from core.wish import Wish


class RunningAnswers:
    """At most one in a conversation: the answer to its first unfinished message, whatever is done for it just then.

    It may be written, wait for the rest of an album or for its next attempt, or be kept for the next start. `platform`
    is the platform's name, and `inbox` its messages. `waits_for` returns the conversation that a message waits for:
    what is stopped is there.
    """

    def __init__(
        self,
        services: Services,
        platform: str,
        inbox: Inbox,
        waits_for: Callable[[StoredMessage], str | None] = lambda message: None,
    ) -> None:
        self._services = services
        self._platform = platform
        self._inbox = inbox
        self._waits_for = waits_for

    def shows(self, conversation_id: str, is_meant: Callable[[StoredMessage], bool]) -> bool:
        """Return whether an answer that is meant is written here, or is on its way to its messages."""
        message = self._inbox.first(conversation_id)
        return message is not None and is_meant(message)

    async def stop(
        self, conversation_id: str, is_meant: Callable[[StoredMessage], bool] = lambda message: True
    ) -> bool:
        """Stop the answer at once. One that another replica writes is stopped within half a second.

        Return False if nothing is being written, or nothing that is meant.
        """
        message = await self._first(conversation_id)
        return message is not None and is_meant(message) and await self._stop(message)

    async def stop_by(
        self,
        key: str,
        conversation_id: str,
        payload: str,
        group: str | None = None,
        digest: str | None = None,
        *,
        has_files: bool = False,
    ) -> bool:
        """Stop because of a message, and store it, so that its repeated delivery does not stop a later answer.

        It waits for its turn if there is nothing to stop, and if it has files, which are kept then. Return False if it
        had been received before.
        """
        written = await self._first(conversation_id)
        if written is None or has_files:
            received = await self._inbox.receive(key, conversation_id, payload, group, digest)
            if received and written is not None:
                await self._stop(written)
            return received
        message = await self._services.store.put(self._platform, key, conversation_id, payload, group, digest)
        if message is None:
            return False
        if await self._stop(written):
            await self._services.store.finish([message.id])
        else:
            self._inbox.take_up(message)  # it says that nothing is being written
        return True

    async def stop_by_edit(self, key: str, revision: Revision, edit: Callable[[], Awaitable[None]]) -> None:
        """Stop because of the new words of a message, once `edit` has stored them.

        The answer to its old words ends by that. A message that is unknown is received by `stop_by`.
        """
        store = self._services.store
        known, conversation_id = Revision.read(await store.digest_of(key)), await store.conversation_of(key)
        await edit()
        if known and conversation_id and revision.replaces(known):  # and this is no repeated delivery
            await self.stop(conversation_id, lambda written: written.key != key)

    async def _first(self, conversation_id: str) -> StoredMessage | None:
        """Return the message of a conversation that is worked on, or will be next, at whichever replica."""
        message = self._inbox.first(conversation_id)
        if message is None:
            stored = await self._services.store.unfinished_in(self._platform, conversation_id)
            message = next(iter(stored), None)
        before = self._waits_for(message) if message is not None else None
        return message if before is None else await self._first(before)

    async def _stop(self, message: StoredMessage) -> bool:
        """Stop the answer to a message, and store that: no restart and no other replica goes on with it."""
        queued = self._inbox.find(message.key)  # it may have come there while it was read from the database
        if not (queued or message).stop.request():
            return False
        if queued is not None:
            if message.id:
                with suppress(StoreDown):  # it is stopped here
                    await self._services.store.wish(message.key, Wish.STOP)
            return True
        stopped = await self._services.store.wish(message.key, Wish.STOP)
        if (arrived := self._inbox.find(message.key)) is not None:  # it was only on its way into the queue
            return arrived.stop.request()
        self._inbox.try_again(message)
        return stopped
