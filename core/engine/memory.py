"""Share one memory limit between running conversations' keys and values and the cache.

If the system runs out of memory nevertheless, the cache gives way and the work is done again.
"""

import logging
from collections.abc import Callable
from typing import TypeVar

from core import hardware
from core.engine.cache import Cache
from core.engine.scheduler import Scheduler
from core.engine.sequence import Sequence
from core.errors import OutOfMemory
from core.model.model import Model

log = logging.getLogger(__name__)
CACHE_SHARES_KEPT = (0.5, 0.0)  # before the first and the second repetition
T = TypeVar("T")


class Memory:
    """The memory of the model thread. `closing` are the tokens that follow every answer."""

    def __init__(self, model: Model, cache: Cache, scheduler: Scheduler[Sequence], closing: list[int]) -> None:
        self._model = model
        self._cache = cache
        self._scheduler = scheduler
        self._closing = closing

    def attempt(self, work: Callable[[], T]) -> T:
        """Return the result of `work`, freeing memory and repeating it when none was left.

        `work` must do all or nothing. Raises `OutOfMemory` when nothing helped.
        """
        for share in CACHE_SHARES_KEPT:
            try:
                return work()
            except Exception as error:
                if not hardware.is_out_of_memory(error):
                    raise
                log.warning("no memory is left, so the cache gives way: %s", error)
            self._cache.give_way(share)  # outside `except`, so that what the traceback held is free
            hardware.trim_heap()
        try:
            return work()
        except Exception as error:
            raise explain(error) from error

    def open(self, sequence: Sequence) -> None:
        """Allocate an admitted sequence's keys and values, and fill in the rows that are cached."""
        self._share()
        kv = self.attempt(lambda: self._model.make_kv(sequence.bytes // self._model.row_bytes))
        try:
            sequence.reused = self.attempt(lambda: self._cache.load_prefix(sequence.prompt.keys, kv))
        except Exception as error:  # the cache only saves time
            log.warning("what was computed before cannot be used", exc_info=error, extra=sequence.about)
            kv.length = 0
        sequence.kv = kv

    def keep(self, sequence: Sequence, closing: bool = False) -> None:
        """Cache what was computed, for the next question. With `closing`, compute that question's first rows too.

        Failing to cache costs a computation later, not this answer. Values that are not finite are never cached,
        because they would spoil every later answer.
        """
        kv = sequence.computed
        self._share()
        try:
            if closing and sequence.text.ids:
                self._model.forward([sequence.closing_pass(self._closing)])
            if kv.is_finite(sequence.reused):
                rows = sequence.rows_with(self._closing)[: kv.length]
                conversation = sequence.request.conversation
                self._cache.keep(conversation.id, rows, kv, conversation.stored)
        except Exception as error:
            log.warning("what was computed is not kept", exc_info=error, extra=sequence.about)
        finally:
            sequence.kv = None

    def _share(self) -> None:
        """Give the cache the memory that running conversations do not need."""
        self._cache.resize(self._scheduler.limit - self._scheduler.used)


def explain(error: Exception) -> Exception:
    """Return `OutOfMemory` for a person if memory was what was missing, and the error itself otherwise."""
    return out_of_memory() if hardware.is_out_of_memory(error) else error


def out_of_memory() -> OutOfMemory:
    return OutOfMemory("There is not enough memory for your question right now. Please ask again in a minute.", 60.0)
