"""How hard a storm is to be."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """`conversations` are of all platforms together; `faults` and `storms` are shares, of calls and of lives; every
    message arrives up to `copies` times; `noise` is how many malformed events come with one conversation, on average.
    `kinds` are the names of what people do; None is everything."""

    kills: int = 1000
    conversations: int = 500
    platforms: Sequence[str] = ("telegram", "slack", "web")
    faults: float = 0.2
    copies: int = 3
    storms: float = 0.3
    noise: float = 1.0
    kinds: Sequence[str] | None = None
    at_once: int = 12  # conversations with a question that is not answered
    talks: int = 6  # different ones
    seed: int = 1
    patience_s: float = 240.0  # without any progress; the machine may be busy
