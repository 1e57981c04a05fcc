"""Work on stored messages again and again, until it succeeds or they are kept for the next start."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from core import trace
from core.errors import Interrupted
from core.lane import Lane
from core.lease import LeaseLost
from core.pauses import pauses
from core.stored_message import Mailbox, StoredMessage

log = logging.getLogger(__name__)
PAUSES_SECONDS = (1, 5, 30)  # before each further attempt

Handler = Callable[[Sequence[StoredMessage]], Awaitable[None]]


class TakenBack(Exception):
    """Raised by `Handler` when its message is not on disk, or no longer.

    SQLite may have given the message's id to the next message, which must not be finished in its place.
    """


class Attempts:
    """How one adapter's messages are worked on: `handler` is called until it does not raise, but not without end.

    `pauses_s` are waited before each further attempt, and are not empty. `shared` is whether there are other replicas.
    """

    def __init__(
        self, mailbox: Mailbox, adapter: str, handler: Handler, pauses_s: Sequence[float], shared: bool
    ) -> None:
        self._mailbox = mailbox
        self._adapter = adapter
        self._handler = handler
        self._pauses_s = pauses_s
        self._shared = shared

    async def work(self, batch: Sequence[StoredMessage], lane: Lane) -> bool:
        """Work on the first messages of a lane, and return False if they are kept for the next start."""
        ids, digests = [message.id for message in batch], set[str]()
        failures = 0
        for pause in pauses(self._pauses_s):
            lane.revised, stopped = False, batch[0].stop.requested
            try:
                digests |= {message.digest for message in batch if message.digest is not None}
                lane.attempt = asyncio.ensure_future(self._handler(batch))
                await lane.attempt
                if not lane.revised:
                    await self._mailbox.finish(ids, digests if self._shared else None)
                    return True
                pause = 0  # it went on to its end, though it was cancelled: so may whatever it calls
            except TakenBack:
                return True
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not lane.revised or (task and task.cancelling()):
                    raise
                pause = 0
            except LeaseLost:
                raise
            except Interrupted as error:  # retried without end: no answer was sent, and nothing is lost
                log.warning("message %s has to wait, %d s more: %s", batch[0].key, pause, error)
            except Exception as error:
                failures += 1
                told = trace.without_words(error)
                if failures > len(self._pauses_s):
                    log.error("message %s is kept for the next start: %s", batch[0].key, told)
                    return False
                log.warning("message %s failed and is tried again in %d s: %s", batch[0].key, pause, told)
            lane.attempt = None  # it may have been whole, and only not been stored as finished
            lane.settle()
            # Who stops it meanwhile sees that at once.
            await (asyncio.sleep(pause) if stopped else lane.messages[0].stop.wait(pause))
            posted = await self._posted()
            # With what was revised up to now. An attempt that failed may have posted what it could not store.
            batch = [
                replace(message, resumed=True, posted_ids=posted[message.id])
                for message in lane.worked_on
                if message.id in posted
            ]
            if not batch:
                return True  # it was answered or forgotten meanwhile, or has expired
        raise AssertionError("unreachable")

    async def _posted(self) -> dict[int, tuple[str, ...]]:
        """Return what is posted for each unfinished message, by its id, as soon as that can be read.

        Without it a message that is over would be answered again, and an answer would be sent, not edited.
        """
        for pause in pauses(self._pauses_s):
            with suppress(Exception):
                return {message.id: message.posted_ids for message in await self._mailbox.unfinished(self._adapter)}
            await asyncio.sleep(pause)
        raise AssertionError("unreachable")
