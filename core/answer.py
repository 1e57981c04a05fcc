"""Define an answer, how it ended, and what it took."""

from dataclasses import dataclass
from enum import StrEnum


class Ending(StrEnum):
    DONE = "done"
    LENGTH = "length"  # the answer limit was reached
    REPEATED = "repeated"  # the model went round in circles; the text is what was good
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Figures:
    """How an answer's time was spent, in seconds, and its tokens: computed, and taken from the cache.

    `shown_whole` counts the question's tiled pictures for whose tiles there was no room.
    """

    queue_s: float = 0.0
    image_s: float = 0.0
    prefill_s: float = 0.0
    decode_s: float = 0.0
    prompt_tokens: int = 0
    reused_tokens: int = 0
    answer_tokens: int = 0
    shown_whole: int = 0

    @property
    def total_s(self) -> float:
        return self.queue_s + self.image_s + self.prefill_s + self.decode_s


@dataclass(frozen=True, slots=True)
class Answer:
    text: str
    ending: Ending
    figures: Figures = Figures()
