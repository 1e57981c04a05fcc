"""Write one answer for the one reader who waits for it."""

import asyncio
import time

from bots.web.broadcasts import Broadcasts
from bots.web.message import WebMessage
from bots.web.submission import Submission
from core.assistant import Assistant
from core.conversation import Conversation
from core.sampling import Sampling


class Writing:
    """An answer being written. It is among the `broadcasts`, so that a shutdown is told to its reader, too."""

    def __init__(
        self, broadcasts: Broadcasts, assistant: Assistant, conversation: Conversation, sampling: Sampling, person: str
    ) -> None:
        self.id = conversation.id
        self.created = int(time.time())
        self.broadcast = broadcasts.add_unwritten(self.id, Submission(self.id, WebMessage(person)))
        self._broadcasts = broadcasts
        self._task = asyncio.create_task(self._write(assistant, conversation, sampling, person))

    async def begin(self) -> None:
        """Wait until it is accepted. Raises why it is refused."""
        await self.broadcast.changes(0)
        if not self.broadcast.events:
            await self.broadcast.answer()

    def end(self) -> None:
        """Free the model if it is still writing: this answer has no other reader."""
        self._task.cancel()
        self._broadcasts.drop(self.broadcast)

    async def _write(self, assistant: Assistant, conversation: Conversation, sampling: Sampling, person: str) -> None:
        broadcast = self.broadcast
        try:
            broadcast.finish(await assistant.complete(conversation, sampling, person, broadcast.tell))
        except Exception as error:
            broadcast.fail(error)
