"""Count answers since the start by platform and ending, and keep the latest figures. Holds no content."""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from core import work_context
from core.answer import Answer, Ending, Figures
from core.durations import Histogram

KEPT = 100


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    platform: str  # telegram, slack, web or terminal
    ending: Ending
    figures: Figures
    finished: float  # seconds since 1970


@dataclass(frozen=True, slots=True)
class Streak:
    """Consecutive failed questions that were not the fault of the people who asked."""

    part: str  # model or database
    reason: str  # for the operator
    count: int
    last: float  # as `time.monotonic` counts


@dataclass(slots=True)
class Stats:
    started: float = field(default_factory=time.monotonic)
    questions: Counter[str] = field(default_factory=Counter)  # by platform
    endings: Counter[tuple[str, str]] = field(default_factory=Counter)  # by platform and ending, refused ones too
    durations: defaultdict[tuple[str, str], Histogram] = field(default_factory=lambda: defaultdict(Histogram))
    latest: deque[AnswerRecord] = field(default_factory=lambda: deque(maxlen=KEPT))
    streak: Streak | None = None  # until a question is answered

    def asked(self) -> None:
        self.questions[work_context.current().platform] += 1

    def refused(self) -> None:
        self.endings[work_context.current().platform, "refused"] += 1

    def failed(self, part: str, reason: str) -> None:
        count = self.streak.count if self.streak else 0
        self.streak = Streak(part, reason, count + 1, time.monotonic())

    def answered(self, answer: Answer, durations: Mapping[str, float]) -> None:
        """Count an answer; `durations` are its seconds by what they are of (`core.durations.Stopwatch`)."""
        platform = work_context.current().platform
        if answer.ending is not Ending.FAILED:
            self.streak = None
        self.endings[platform, answer.ending.value] += 1
        for name, seconds in durations.items():
            self.durations[name, platform].observe(seconds)
        self.latest.append(AnswerRecord(platform, answer.ending, answer.figures, time.time()))
