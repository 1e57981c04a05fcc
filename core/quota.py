"""Limit how much one person may ask: per minute, per day, and at the same time. Counts are lost at a restart."""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import takewhile

from pydantic import BaseModel, Field

from core.errors import BadQuestion, Busy, QuotaReached
from core.trace import log_event

log = logging.getLogger(__name__)
MINUTE_SECONDS, DAY_SECONDS = 60, 86_400


class QuotaConfig(BaseModel, extra="forbid", frozen=True):
    """Quotas of one person. 0 means no limit."""

    questions_per_minute: int = Field(10, ge=0, description="Of one person; 0: no limit.")
    questions_per_day: int = Field(500, ge=0, description="Of one person; 0: no limit.")
    pictures_per_minute: int = Field(20, ge=0, description="Of one person; 0: no limit.")
    at_once: int = Field(5, ge=0, description="One person's questions in work or waiting; 0: no limit.")


@dataclass(slots=True)
class _Usage:
    # Times, oldest first: of a day's questions by key, of a minute's pictures by id, of files that are no pictures yet,
    # and of messages by key, and contents by digest, whose files were counted.
    questions: dict[str, float] = field(default_factory=dict)
    pictures: dict[str, float] = field(default_factory=dict)
    files: list[float] = field(default_factory=list)
    messages: dict[str, float] = field(default_factory=dict)
    running: int = 0


class Quota:
    def __init__(self, config: QuotaConfig = QuotaConfig(), clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._clock = clock
        self._people: dict[str, _Usage] = {}

    @contextmanager
    def admit(self, person: str) -> Iterator[None]:
        """Hold a place for a question while it waits and is answered. Raises `Busy` if the person has too many."""
        known = self._people.setdefault(person, _Usage())
        with _noting(person):
            self._check_running(known)
        known.running += 1
        try:
            yield
        finally:
            known.running -= 1

    def check_question(self, person: str) -> None:
        """Raise what `admit` and `count_question` would raise now, before any work is done for a question."""
        now = self._clock()
        known = self._known(person, now)
        with _noting(person):
            self._check_running(known)
            self._check_questions(known, now)

    def count_files(self, person: str, key: str, count: int) -> None:
        """Count files that are about to be opened, once per message, whatever becomes of them.

        Pictures that come from them are not counted again. Raises `QuotaReached` and `BadQuestion`.
        """
        now = self._clock()
        known = self._known(person, now)
        if key not in known.messages:
            self._count_files(person, known, count, now)
            known.messages[key] = now

    def count_contents(self, person: str, digests: Collection[str]) -> None:
        """Count files as `count_files` does, each content once a minute, in whatever message it comes again."""
        now = self._clock()
        known = self._known(person, now)
        new = dict.fromkeys(digest for digest in digests if digest not in known.messages)
        self._count_files(person, known, len(new), now)
        known.messages |= dict.fromkeys(new, now)

    def count_question(self, person: str, key: str, pictures: Collection[str] = ()) -> None:
        """Count a question once, however often it is tried. `pictures` are ids.

        Raises `Busy`, which says when to come back, and `BadQuestion`.
        """
        now = self._clock()
        known = self._known(person, now)
        if key in known.questions:
            return
        with _noting(person):
            self._check_questions(known, now)
            self._count_pictures(known, pictures, now)
        known.questions[key] = now

    def count_pictures(self, person: str, pictures: Collection[str]) -> None:
        """Count each picture once a minute, however often it is sent. Raises `QuotaReached` and `BadQuestion`."""
        now = self._clock()
        with _noting(person):
            self._count_pictures(self._known(person, now), pictures, now)

    def _count_files(self, person: str, known: _Usage, count: int, now: float) -> None:
        with _noting(person):
            self._check_pictures(known, count, now)
        known.files += [now] * count

    def _count_pictures(self, known: _Usage, pictures: Collection[str], now: float) -> None:
        new = set(pictures) - set(known.pictures)
        counted = min(len(new), len(known.files))  # these were counted when their files came
        self._check_pictures(known, len(new) - counted, now)
        del known.files[:counted]
        known.pictures |= dict.fromkeys(new, now)

    def _check_running(self, known: _Usage) -> None:
        if self._config.at_once and known.running >= self._config.at_once:
            raise Busy("Please wait for the answers to your earlier questions first.")

    def _check_questions(self, known: _Usage, now: float) -> None:
        times = known.questions.values()
        _limit("questions", times, 1, self._config.questions_per_minute, MINUTE_SECONDS, now)
        _limit("questions", times, 1, self._config.questions_per_day, DAY_SECONDS, now)

    def _check_pictures(self, known: _Usage, new: int, now: float) -> None:
        limit = self._config.pictures_per_minute
        if 0 < limit < new:
            raise BadQuestion("At most {limit} pictures in one question, please.", limit=limit)
        _limit("pictures", sorted([*known.pictures.values(), *known.files]), new, limit, MINUTE_SECONDS, now)

    def _known(self, name: str, now: float) -> _Usage:
        """Return a person's counts, after dropping old counts of all people."""
        for each, person in list(self._people.items()):
            for key, _ in list(takewhile(lambda asked: asked[1] <= now - DAY_SECONDS, person.questions.items())):
                del person.questions[key]
            person.pictures = {image: when for image, when in person.pictures.items() if when > now - MINUTE_SECONDS}
            person.messages = {key: when for key, when in person.messages.items() if when > now - MINUTE_SECONDS}
            person.files = [when for when in person.files if when > now - MINUTE_SECONDS]
            if each != name and not (person.running or person.questions or person.pictures or person.messages):
                del self._people[each]
        return self._people.setdefault(name, _Usage())


@contextmanager
def _noting(person: str) -> Iterator[None]:
    """Say in the log whom a limit stops."""
    try:
        yield
    except Busy:
        log_event(log, "refused", reason="rate_limited", person=person)
        raise


def _limit(what: str, times: Iterable[float], new: int, limit: int, window_s: int, now: float) -> None:
    """Refuse `new` more than `limit` within the window that ends now."""
    recent = [moment for moment in times if moment > now - window_s]
    if not limit or len(recent) + new <= limit:
        return
    free_at = recent[len(recent) + new - limit - 1] + window_s
    seconds = max(1, round(free_at - now))
    if what == "pictures":
        raise QuotaReached(
            "That is more than {limit} pictures a minute. Try again in {wait} s.", seconds, limit=limit, wait=seconds
        )
    if window_s == MINUTE_SECONDS:
        raise QuotaReached(
            "That is more than {limit} questions a minute. Try again in {wait} s.", seconds, limit=limit, wait=seconds
        )
    minutes = max(1, round(seconds / 60))
    raise QuotaReached(
        "You have asked {limit} questions within a day. The next one is possible in {hours} h {minutes} min.",
        seconds,
        limit=limit,
        hours=minutes // 60,
        minutes=minutes % 60,
    )
