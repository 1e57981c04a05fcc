"""How much one person may ask: per minute, per day, and at the same time. Counts in memory; a restart begins anew."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydantic import BaseModel, Field

from core.errors import Busy

MINUTE_S, DAY_S = 60, 86_400


class Config(BaseModel, extra="forbid", frozen=True):
    """0 means no limit."""

    questions_per_minute: int = Field(10, ge=0, description="Of one person; 0: no limit.")
    questions_per_day: int = Field(500, ge=0, description="Of one person; 0: no limit.")
    pictures_per_minute: int = Field(20, ge=0, description="Of one person; 0: no limit.")
    at_once: int = Field(5, ge=0, description="One person's questions in work or waiting; 0: no limit.")


@dataclass(slots=True)
class _Person:
    questions: deque[float] = field(default_factory=deque)  # when, in seconds, oldest first; at most one day's
    pictures: deque[float] = field(default_factory=deque)  # at most one minute's
    running: int = 0


class Quota:
    def __init__(self, config: Config = Config(), clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._clock = clock
        self._people: dict[str, _Person] = {}

    @contextmanager
    def admit(self, person: str, pictures: int) -> Iterator[None]:
        """Count a question and its pictures while it is being answered. Raises `Busy` that says when to come back."""
        now = self._clock()
        self._drop_old(now)
        known = self._people.get(person) or _Person()
        self._check(known, pictures, now)
        self._people[person] = known
        known.questions.append(now)
        known.pictures.extend([now] * pictures)
        known.running += 1
        try:
            yield
        finally:
            known.running -= 1

    def _check(self, person: _Person, pictures: int, now: float) -> None:
        limits = self._config
        if limits.at_once and person.running >= limits.at_once:
            raise Busy("Please wait for the answers to your earlier questions first.")
        _limit("questions", person.questions, 1, limits.questions_per_minute, MINUTE_S, now)
        _limit("pictures", person.pictures, pictures, limits.pictures_per_minute, MINUTE_S, now)
        _limit("questions", person.questions, 1, limits.questions_per_day, DAY_S, now)

    def _drop_old(self, now: float) -> None:
        for name, person in list(self._people.items()):
            while person.questions and person.questions[0] <= now - DAY_S:
                person.questions.popleft()
            while person.pictures and person.pictures[0] <= now - MINUTE_S:
                person.pictures.popleft()
            if not person.running and not person.questions and not person.pictures:
                del self._people[name]


def _limit(what: str, times: deque[float], new: int, limit: int, window_s: int, now: float) -> None:
    """Refuse what would be more than `limit` within the window that ends now."""
    recent = [moment for moment in times if moment > now - window_s]
    if not limit or len(recent) + new <= limit:
        return
    free_at = recent[max(0, len(recent) + new - limit - 1)] + window_s if recent else now + window_s
    seconds = max(1, round(free_at - now))
    if what == "pictures":
        raise Busy(
            "That is more than {limit} pictures a minute. Try again in {wait} s.", seconds, limit=limit, wait=seconds
        )
    if window_s == MINUTE_S:
        raise Busy(
            "That is more than {limit} questions a minute. Try again in {wait} s.", seconds, limit=limit, wait=seconds
        )
    minutes = max(1, round(seconds / 60))
    raise Busy(
        "You have asked {limit} questions within a day. The next one is possible in {hours} h {minutes} min.",
        seconds,
        limit=limit,
        hours=minutes // 60,
        minutes=minutes % 60,
    )
