"""What waits for the model thread. Once that has ended, whoever asks is told so: nobody waits for ever."""

from contextlib import suppress
from queue import Empty, SimpleQueue

from core.conversation import Image
from core.engine.request import Forget, KeepOnly, Request
from core.errors import EngineEnded

Message = Request | Image | Forget | KeepOnly


class Inbox:
    """`put` may be called from any thread; the rest by the model thread."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Message | None] = SimpleQueue()
        self.closed = False

    def put(self, message: Message | None) -> None:
        """None: it is time to finish."""
        self._queue.put(message)
        if self.closed:
            self._refuse()

    def get(self, block: bool) -> Message | None:
        """Raises `queue.Empty`, unless it is to wait."""
        return self._queue.get(block=block)

    @property
    def empty(self) -> bool:
        return self._queue.empty()

    def close(self) -> None:
        self.closed = True
        self._refuse()

    def _refuse(self) -> None:
        with suppress(Empty):
            while True:
                if isinstance(message := self._queue.get(block=False), Request):
                    message.send(restarting())


def restarting() -> EngineEnded:
    return EngineEnded("The service is about to restart. Please ask again in a minute.", retry_after=60.0)
