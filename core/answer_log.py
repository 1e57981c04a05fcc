"""Count questions and answers, and say in the log how each went. Holds no content."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from core import work_context
from core.answer import Answer, Ending
from core.durations import Stopwatch
from core.errors import BotError, StoreDown
from core.stats import Stats
from core.trace import log_event

log = logging.getLogger(__name__)


class AnswerLog:
    def __init__(self, stats: Stats) -> None:
        self._stats = stats

    @contextmanager
    def noting_failures(self) -> Iterator[None]:
        """Count failures that are not the fault of the person who asked."""
        try:
            yield
        except StoreDown as error:
            self._stats.failed("database", error.reason or str(error))
            raise
        except BotError:
            raise
        except Exception as error:
            self._stats.failed("model", f"{type(error).__name__}, see the log")
            raise

    @contextmanager
    def counting(self, watch: Stopwatch) -> Iterator[None]:
        """Count a question to the engine, and whether it was refused or failed."""
        self._stats.asked()
        try:
            yield
        except BotError:
            self._stats.refused()
            raise
        except Exception:
            self.note(Answer("", Ending.FAILED), watch)
            raise

    def note(self, answer: Answer, watch: Stopwatch) -> None:
        """Count the answer, and say in the log how it went."""
        figures, durations = answer.figures, watch.durations(answer.figures.queue_s)
        self._stats.answered(answer, durations)
        log_event(
            log,
            "answered",
            platform=work_context.current().platform,
            ending=answer.ending.value,
            **{f"{name}_ms": round(1000 * seconds) for name, seconds in durations.items()},
            image_ms=round(1000 * figures.image_s),
            prefill_ms=round(1000 * figures.prefill_s),
            decode_ms=round(1000 * figures.decode_s),
            tokens_computed=figures.prompt_tokens - figures.reused_tokens,
            tokens_reused=figures.reused_tokens,
            tokens_written=figures.answer_tokens,
        )
