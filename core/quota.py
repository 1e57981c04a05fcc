"""Limit how much one person may ask: per minute, per day, and at the same time, at all replicas together."""

import logging
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Self

from pydantic import BaseModel, Field

from core.errors import BadQuestion, BotError, Busy, EarlierQuestionsWait, Interrupted, QuotaReached, StoreDown
from core.leases import Leases
from core.pseudonym import pseudonym
from core.tally import Counts, Result, Tallies
from core.trace import log_event

log = logging.getLogger(__name__)
MINUTE_SECONDS, DAY_SECONDS = 60, 86_400
CLOCK_SECONDS = 60  # that clocks may differ by; what seems later than that was counted by a wrong one
MOST_KEYS = 1000  # of questions kept without a limit that needs more of them
KEY_CHARACTERS = 16  # of a pseudonym, enough to tell a day's questions of one person apart


class QuotaConfig(BaseModel, extra="forbid", frozen=True):
    """Quotas of one person. 0 means no limit."""

    questions_per_minute: int = Field(10, ge=0, description="Of one person; 0: no limit.")
    questions_per_day: int = Field(500, ge=0, description="Of one person; 0: no limit.")
    pictures_per_minute: int = Field(20, ge=0, description="Of one person; 0: no limit.")
    at_once: int = Field(5, ge=0, description="One person's questions in work or waiting; 0: no limit.")


class _Usage(BaseModel):
    """What one person used. All times are in seconds since 1970.

    Of a day's questions by key, of a minute's pictures by id, of files that are no pictures yet, and of messages by
    key, and contents by digest, whose files were counted.
    """

    questions: dict[str, float] = {}
    pictures: dict[str, float] = {}
    files: list[float] = []
    messages: dict[str, float] = {}

    @classmethod
    def recent(cls, counts: Counts, now: float, most: int) -> Self:
        """Read what was counted, without what is too old to matter, and the last `most` questions.

        What was counted while a clock ran ahead is left out, or it would keep people out until that time comes.
        """
        stored = cls.model_validate(counts)

        def since(times: dict[str, float], seconds: float) -> dict[str, float]:
            return {key: when for key, when in times.items() if now - seconds < when <= now + CLOCK_SECONDS}

        questions = sorted(since(stored.questions, DAY_SECONDS).items(), key=lambda item: item[1])
        return cls(
            questions=dict(questions[-most:]),
            pictures=since(stored.pictures, MINUTE_SECONDS),
            files=[when for when in stored.files if now - MINUTE_SECONDS < when <= now + CLOCK_SECONDS],
            messages=since(stored.messages, MINUTE_SECONDS),
        )


class Quota:
    """The quotas of all people. What is counted is in `tallies`, and what is at once in `leases`."""

    def __init__(self, config: QuotaConfig, tallies: Tallies, leases: Leases) -> None:
        self._config = config
        self._tallies = tallies
        self._leases = leases
        # A stored question may be tried again within the day, so its key is kept without a limit for a day, too.
        self._most_keys = max(MOST_KEYS, config.questions_per_day, config.questions_per_minute)

    @asynccontextmanager
    async def admit(self, person: str) -> AsyncIterator[None]:
        """Hold a slot for a question while it waits and is answered. Raises `Busy` if the person has too many."""
        if not self._config.at_once:
            yield
            return
        slot = await self._leases.take_slot(tally_of(pseudonym(person)), self._config.at_once)
        if slot is None:
            with _noting(person):
                raise EarlierQuestionsWait
        try:
            yield
        finally:
            await self._leases.give_slot_back(slot)

    async def check_question(self, person: str) -> None:
        """Raise what `admit` and `question` would raise now, before any work is done for a question."""
        name, slots = tally_of(pseudonym(person)), self._config.at_once
        with _noting(person):
            if slots and not await self._leases.has_slot(name, slots):
                raise EarlierQuestionsWait
            if self._limits_questions:
                counts, now = await self._tallies.tally(name)
                self._check_questions(_Usage.recent(counts, now, self._most_keys), now)

    async def count_files(self, person: str, key: str, count: int) -> None:
        """Count files that are about to be opened, once per message, whatever becomes of them.

        Pictures that come from them are not counted again. Raises `QuotaReached` and `BadQuestion`.
        """

        def change(usage: _Usage, now: float) -> None:
            if _short(key) not in usage.messages:
                self._count_files(usage, count, now)
                usage.messages[_short(key)] = now

        if count and self._config.pictures_per_minute:
            await self._change(person, change)

    async def count_contents(self, person: str, digests: Collection[str]) -> None:
        """Count files as `count_files` does, each content once a minute, in whatever message it comes again."""

        def change(usage: _Usage, now: float) -> None:
            new = dict.fromkeys(short for short in map(_short, digests) if short not in usage.messages)
            self._count_files(usage, len(new), now)
            usage.messages |= dict.fromkeys(new, now)

        if digests and self._config.pictures_per_minute:
            await self._change(person, change)

    @asynccontextmanager
    async def question(
        self, person: str, key: str, pictures: Collection[str] = (), was_answered: bool = False
    ) -> AsyncIterator[None]:
        """Count a question once, however often it is tried, and not at all if it cannot be answered after all.

        One that is refused for what it says or brings stays counted, or as many of them as one likes would pass.
        `pictures` are ids. `was_answered` is whether an answer under the same key is replaced. Raises `Busy`, which
        says when to come back, and `BadQuestion`.
        """
        is_new = await self._count_question(person, key, pictures)
        try:
            yield
        except Interrupted:  # it is answered later, under the same key
            raise
        except Exception as error:
            is_refused = isinstance(error, BotError) and not error.retryable
            if not is_refused and (is_new or not was_answered):
                await self.uncount(person, key)
            raise

    async def uncount(self, person: str, key: str) -> None:
        """Count a question no longer that will not be answered."""
        if self._limits_questions:
            with suppress(StoreDown):
                await self._change(person, lambda usage, now: usage.questions.pop(_short(key), None))

    async def count_pictures(self, person: str, pictures: Collection[str]) -> None:
        """Count each picture once a minute, however often it is sent. Raises `QuotaReached` and `BadQuestion`."""
        if pictures and self._config.pictures_per_minute:
            await self._change(person, lambda usage, now: self._count_pictures(usage, pictures, now))

    @property
    def _limits_questions(self) -> bool:
        return bool(self._config.questions_per_minute or self._config.questions_per_day)

    async def _count_question(self, person: str, key: str, pictures: Collection[str]) -> bool:
        """Return whether it was not counted before."""

        def change(usage: _Usage, now: float) -> bool:
            if _short(key) in usage.questions:
                return False
            self._check_questions(usage, now)
            self._count_pictures(usage, pictures, now)
            if self._limits_questions:
                usage.questions[_short(key)] = now
            return True

        if not (self._limits_questions or (pictures and self._config.pictures_per_minute)):
            return False
        return await self._change(person, change)

    async def _change(self, person: str, change: Callable[[_Usage, float], Result]) -> Result:
        def change_counts(counts: Counts, now: float) -> Result:
            usage = _Usage.recent(counts, now, self._most_keys)
            result = change(usage, now)
            counts.clear()
            counts.update(usage.model_dump())
            return result

        with _noting(person):
            return await self._tallies.change_tally(tally_of(pseudonym(person)), DAY_SECONDS, change_counts)

    def _count_files(self, usage: _Usage, count: int, now: float) -> None:
        self._check_pictures(usage, count, now)
        usage.files += [now] * count

    def _count_pictures(self, usage: _Usage, pictures: Collection[str], now: float) -> None:
        if not self._config.pictures_per_minute:
            return
        new = set(map(_short, pictures)) - set(usage.pictures)
        counted = min(len(new), len(usage.files))  # these were counted when their files came
        self._check_pictures(usage, len(new) - counted, now)
        del usage.files[:counted]
        usage.pictures |= dict.fromkeys(new, now)

    def _check_questions(self, usage: _Usage, now: float) -> None:
        times = usage.questions.values()
        _limit("questions", times, 1, self._config.questions_per_minute, MINUTE_SECONDS, now)
        _limit("questions", times, 1, self._config.questions_per_day, DAY_SECONDS, now)

    def _check_pictures(self, usage: _Usage, new: int, now: float) -> None:
        limit = self._config.pictures_per_minute
        if 0 < limit < new:
            raise BadQuestion("At most {limit} pictures in one question, please.", limit=limit)
        _limit("pictures", [*usage.pictures.values(), *usage.files], new, limit, MINUTE_SECONDS, now)


def tally_of(pseudonym: str) -> str:
    """Return the name under which is counted what a person asks."""
    return f"asker:{pseudonym}"


def _short(key: str) -> str:
    return pseudonym(key)[:KEY_CHARACTERS]


@contextmanager
def _noting(person: str) -> Iterator[None]:
    """Say in the log whom a limit stops."""
    try:
        yield
    except Busy as error:
        if not isinstance(error, Interrupted):
            log_event(log, "refused", reason="rate_limited", person=person)
        raise


def _limit(what: str, times: Iterable[float], new: int, limit: int, window_s: int, now: float) -> None:
    """Refuse `new` more than `limit` within the window that ends now."""
    recent = sorted(moment for moment in times if moment > now - window_s)
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
