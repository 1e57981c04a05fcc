"""Queue messages for the model thread. Once the thread has ended, every request gets an error instead of waiting."""

from contextlib import suppress
from queue import Empty, SimpleQueue

from core.engine.request import EngineRequest, Forget, KeepOnly
from core.errors import EngineEnded
from core.image import Image

Message = EngineRequest | Image | Forget | KeepOnly


class WorkQueue:
    """The model thread's queue. `put` may be called from any thread, the rest by the model thread."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Message | None] = SimpleQueue()
        self.closed = False

    def put(self, message: Message | None) -> None:
        """Queue a message; None tells the thread to finish."""
        self._queue.put(message)
        if self.closed:
            self._refuse()

    def get(self, block: bool, seconds: float | None = None) -> Message | None:
        """Return the next message. Raises `queue.Empty` when there is none, with `block` only after `seconds`."""
        return self._queue.get(block, seconds)

    @property
    def empty(self) -> bool:
        return self._queue.empty()

    def close(self) -> None:
        self.closed = True
        self._refuse()

    def _refuse(self) -> None:
        with suppress(Empty):
            while True:
                if isinstance(message := self._queue.get(block=False), EngineRequest):
                    message.send(restarting())


def restarting() -> EngineEnded:
    return EngineEnded("The service is about to restart. Please ask again in a minute.", retry_after=60.0)
