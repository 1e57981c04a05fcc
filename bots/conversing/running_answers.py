"""Know which answers of one platform are being written, and stop them at once, at whichever replica that is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bots.conversing.services import Services
from core.inbox import Inbox
from core.stored_message import StoredMessage
from core.wish import Wish


@dataclass(slots=True)
class RunningAnswer:
    message: StoredMessage  # includes the ids of what was posted for it
    stopped: bool = False
    whole: bool = False  # it is only on its way to its messages, so there is nothing to stop


class RunningAnswers:
    """At most one in a conversation. `platform` is the platform's name, and `inbox` its messages."""

    def __init__(self, services: Services, platform: str, inbox: Inbox) -> None:
        self._services = services
        self._platform = platform
        self._inbox = inbox
        self._running: dict[str, RunningAnswer] = {}

    @contextmanager
    def answer_to(self, message: StoredMessage) -> Iterator[RunningAnswer]:
        """Let the answer to a message be stopped while the block writes it."""
        running = self._running[message.conversation_id] = RunningAnswer(message)
        try:
            yield running
        finally:
            del self._running[message.conversation_id]

    def stop(self, conversation_id: str, is_meant: Callable[[StoredMessage], bool] = lambda message: True) -> bool:
        """Stop at once: the running answer ends, and one that has not begun does not begin.

        Return False if nothing is being written, or nothing that is meant.
        """
        running = self._running.get(conversation_id)
        if running is None or running.whole or not is_meant(running.message):
            return False
        running.stopped = True
        self._services.assistant.stop(conversation_id)
        return True

    def shows(self, conversation_id: str, is_meant: Callable[[StoredMessage], bool]) -> bool:
        """Return whether an answer that is meant is being written, or is on its way to its messages."""
        running = self._running.get(conversation_id)
        return running is not None and is_meant(running.message)

    async def stop_anywhere(
        self, conversation_id: str, is_meant: Callable[[StoredMessage], bool] = lambda message: True
    ) -> bool:
        """Stop like `stop`, also an answer that another replica writes: that one notices within half a second."""
        return self.stop(conversation_id, is_meant) or await self._stop_elsewhere(
            await self._first_elsewhere(conversation_id), is_meant
        )

    async def _first_elsewhere(self, conversation_id: str) -> StoredMessage | None:
        """Return the message of a conversation that another replica works on, or will next."""
        if not self._services.leases.shared or conversation_id in self._running:
            return None
        return next(iter(await self._services.store.unfinished_in(self._platform, conversation_id)), None)

    async def _stop_elsewhere(
        self,
        first: StoredMessage | None,
        is_meant: Callable[[StoredMessage], bool] = lambda message: True,
    ) -> bool:
        return first is not None and is_meant(first) and await self._services.store.wish(first.key, Wish.STOP)

    async def stop_by(
        self, key: str, conversation_id: str, payload: str, group: str | None = None, *, has_files: bool = False
    ) -> None:
        """Stop because of a message, and store it, so that its repeated delivery does not stop a later answer.

        It waits for its turn if no answer runs, and if it has files, which are kept then.
        """
        running = self._running.get(conversation_id)
        busy = running is not None and not running.whole
        elsewhere = await self._first_elsewhere(conversation_id)
        if (busy or elsewhere) and not has_files:
            if message := await self._services.store.put(self._platform, key, conversation_id, payload):
                if not self.stop(conversation_id):
                    await self._stop_elsewhere(elsewhere)
                await self._services.store.finish([message.id])
            return
        received = await self._inbox.receive(key, conversation_id, payload, group)
        if received and not self.stop(conversation_id, lambda running: running.key != key):
            await self._stop_elsewhere(elsewhere, lambda running: running.key != key)
