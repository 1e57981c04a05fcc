"""Sum up a self-test: how many answers are right, how fast they came, and what went wrong."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.selftest.results import Result, Verdict


@dataclass(frozen=True, slots=True)
class SelftestSummary:
    """The results, and what this machine needed for them. `peak_bytes` is None where the system does not tell it."""

    results: Sequence[Result]
    is_demo: bool
    peak_bytes: int | None = None

    @property
    def right(self) -> int:
        return sum(result.verdict is Verdict.RIGHT for result in self.results)

    @property
    def failed(self) -> list[Result]:
        """The results that should have been right. Of the demo model not everything is expected."""
        return [result for result in self.results if result.verdict is not Verdict.RIGHT and self.expects(result)]

    def expects(self, result: Result) -> bool:
        """Return whether this model has to answer the task. An error is never expected."""
        return result.verdict is Verdict.BROKEN or result.task.demo or not self.is_demo

    @property
    def loops(self) -> int:
        return sum(result.looped for result in self.results)

    @property
    def tokens_per_s(self) -> float | None:
        figures = [result.figures for result in self.results]
        seconds = sum(each.decode_s for each in figures)
        return sum(each.answer_tokens for each in figures) / seconds if seconds else None

    def first_token_s(self, is_new: bool) -> float | None:
        """Return the median time to the first token, where a picture was new or where everything was known."""
        known = [result.first_token_s for result in self.results if result.is_new == is_new]
        return _median(seconds for seconds in known if seconds is not None)

    def lines(self) -> list[str]:
        """Return the figures as sentences."""
        broken = sum(result.verdict is Verdict.BROKEN for result in self.results)
        beyond = len(self.results) - self.right - len(self.failed)
        first, later = self.first_token_s(True), self.first_token_s(False)
        counts = f"{self.right} of {len(self.results)} answers are right, {len(self.failed) + beyond - broken} wrong"
        return [
            f"{counts}, {broken} failed; {self.loops} loop{'' if self.loops == 1 else 's'}"
            + (f". {beyond} of the wrong ones are more than the demo model was taught" if beyond else ""),
            f"{_figure(self.tokens_per_s, ' tokens/s', 1)}; first token after {_figure(first, ' s', 2)} with a new "
            f"picture, {_figure(later, ' s', 2)} with a known one (medians)",
            f"peak memory {_figure(None if self.peak_bytes is None else self.peak_bytes / 1e9, ' GB', 2)}",
        ]


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return statistics.median(found) if found else None


def _figure(value: float | None, unit: str, digits: int) -> str:
    return "unknown" if value is None else f"{value:.{digits}f}{unit}"
