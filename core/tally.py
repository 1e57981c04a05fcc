"""What was answered since the start: counts by door and ending, and the latest answers' figures. Holds no content."""

import time
from collections import Counter, deque
from dataclasses import dataclass, field

from core.conversation import Answer, Ending, Figures

KEPT = 100


@dataclass(frozen=True, slots=True)
class Entry:
    door: str  # telegram, slack, web or terminal
    ending: Ending
    figures: Figures
    finished: float  # seconds since 1970


@dataclass(slots=True)
class Tally:
    started: float = field(default_factory=time.monotonic)
    questions: Counter[str] = field(default_factory=Counter)  # by door
    endings: Counter[tuple[str, str]] = field(default_factory=Counter)  # by door and ending, refused ones too
    latest: deque[Entry] = field(default_factory=lambda: deque(maxlen=KEPT))

    def asked(self, conversation_id: str) -> None:
        self.questions[_door(conversation_id)] += 1

    def refused(self, conversation_id: str) -> None:
        self.endings[_door(conversation_id), "refused"] += 1

    def answered(self, conversation_id: str, answer: Answer) -> None:
        door = _door(conversation_id)
        self.endings[door, answer.ending.value] += 1
        self.latest.append(Entry(door, answer.ending, answer.figures, time.time()))


def _door(conversation_id: str) -> str:
    return conversation_id.partition(":")[0]
