"""Keys and values of running conversations and the cache, under one limit. When the system has no memory left all the
same, the cache gives way and the work is done again."""

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
SHARES = (0.5, 0.0)  # of the cache, that stay when the work is done again for the first and for the second time
T = TypeVar("T")


class Memory:
    """Belongs to the model thread. `closing` is what follows an answer whatever is asked next."""

    def __init__(self, model: Model, cache: Cache, scheduler: Scheduler[Sequence], closing: list[int]) -> None:
        self._model = model
        self._cache = cache
        self._scheduler = scheduler
        self._closing = closing

    def attempt(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, which must do nothing by halves. Raises `OutOfMemory` when nothing helped."""
        for share in SHARES:
            try:
                return work()
            except Exception as error:
                if not hardware.is_out_of_memory(error):
                    raise
                log.warning("no memory is left, so the cache gives way: %s", error)
            self._cache.give_way(share)  # only here the error is gone, and what its traceback held
            hardware.trim_heap()
        try:
            return work()
        except Exception as error:
            raise explain(error) from error

    def open(self, sequence: Sequence) -> None:
        """Give an admitted sequence room for its keys and values, with those of its rows that are known."""
        self._share()
        kv = self.attempt(lambda: self._model.make_kv(sequence.bytes // self._model.row_bytes))
        try:
            sequence.reused = self.attempt(lambda: self._cache.resume(sequence.prompt.keys, kv))
        except Exception as error:  # what is known only saves time
            log.warning("what was computed before cannot be used", exc_info=error, extra=sequence.about)
            kv.length = 0
        sequence.kv = kv

    def keep(self, sequence: Sequence, closing: bool = False) -> None:
        """Remember what was computed for the next question, and with `closing` compute the first rows of that, too.

        What cannot be kept costs a computation later, not an answer now; what is no number would spoil every later one.
        """
        kv = sequence.computed
        self._share()
        try:
            if closing and sequence.answer_ids:
                self._model.forward([sequence.closing_pass(self._closing)])
            if kv.is_finite(sequence.reused):
                rows = sequence.rows_with(self._closing)[: kv.length]
                self._cache.keep(sequence.request.conversation.id, rows, kv)
        except Exception as error:
            log.warning("what was computed is not kept", exc_info=error, extra=sequence.about)
        finally:
            sequence.kv = None

    def _share(self) -> None:
        """The cache has what running conversations do not need."""
        self._cache.resize(self._scheduler.limit - self._scheduler.used)


def explain(error: Exception) -> Exception:
    """What a person is told instead, if memory is what was missing."""
    return out_of_memory() if hardware.is_out_of_memory(error) else error


def out_of_memory() -> OutOfMemory:
    return OutOfMemory("There is not enough memory for your question right now. Please ask again in a minute.", 60.0)
