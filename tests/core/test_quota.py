import asyncio
import logging
from collections.abc import Callable, Collection
from itertools import count

import pytest

from core.errors import BadQuestion, Busy, Interrupted, QuotaReached, StoreDown
from core.quota import Quota, QuotaConfig
from core.single_replica import SingleReplica
from core.tally import Counts, Result
from tests.fakes import MemoryTallies


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


fresh = map(str, count())


def quota_of(clock: Clock, **limits: int) -> Quota:
    return Quota(QuotaConfig(**limits), MemoryTallies(clock), SingleReplica())


async def asks(quota: Quota, person: str = "ann", pictures: int = 0, key: str = "") -> None:
    await about(quota, person, key or next(fresh), [next(fresh) for _ in range(pictures)])


async def about(quota: Quota, person: str, key: str, pictures: Collection[str] = ()) -> None:
    async with quota.question(person, key, pictures):
        pass


async def test_questions_a_minute_are_limited_and_the_answer_says_when_to_come_back(clock: Clock) -> None:
    quota = quota_of(clock, questions_per_minute=2)
    await asks(quota)
    clock.now = 20
    await asks(quota)
    with pytest.raises(Busy, match="2 questions a minute. Try again in 40 s") as caught:
        await asks(quota)
    assert caught.value.retry_after == 40
    await asks(quota, "bob")
    clock.now = 60
    await asks(quota)


async def test_pictures_a_minute_are_limited(clock: Clock) -> None:
    quota = quota_of(clock, pictures_per_minute=3)
    await asks(quota, pictures=2)
    clock.now = 10
    with pytest.raises(Busy, match="3 pictures a minute. Try again in 50 s"):
        await asks(quota, pictures=2)
    await asks(quota, pictures=1)


@pytest.mark.parametrize("before", [0, 1, 3])
async def test_more_pictures_at_once_than_a_minute_allows_are_refused_for_good(clock: Clock, before: int) -> None:
    quota = quota_of(clock, pictures_per_minute=3)
    await asks(quota, pictures=before)
    with pytest.raises(BadQuestion, match="At most 3 pictures"):
        await asks(quota, pictures=4)


async def test_a_picture_counts_once_ahead_of_its_question_and_in_it(clock: Clock) -> None:
    quota = quota_of(clock, pictures_per_minute=3)
    await quota.count_pictures("ann", ["a", "b"])
    await about(quota, "ann", "k1", ["b", "c"])
    await about(quota, "ann", "k2", ["a", "b", "c"])
    with pytest.raises(Busy, match="3 pictures a minute"):
        await quota.count_pictures("ann", ["d"])


async def test_a_question_that_is_refused_for_its_pictures_is_not_counted(clock: Clock) -> None:
    quota = quota_of(clock, questions_per_minute=1, pictures_per_minute=1)
    await quota.count_pictures("ann", ["a"])
    with pytest.raises(Busy, match="1 pictures"):
        await about(quota, "ann", "k1", ["b"])
    await about(quota, "ann", "k2", ["a"])


async def test_a_question_counts_once_however_often_it_is_tried(clock: Clock) -> None:
    quota = quota_of(clock, questions_per_minute=2, questions_per_day=2)
    for clock.now in range(1000):
        await about(quota, "ann", "k1", ["a"])
    await asks(quota)
    with pytest.raises(Busy, match="2 questions within a day"):
        await asks(quota)
    clock.now = 86_400
    await asks(quota)


async def test_questions_a_day_are_limited(clock: Clock) -> None:
    quota = quota_of(clock, questions_per_minute=0, questions_per_day=3)
    for hour in range(3):
        clock.now = hour * 3600
        await asks(quota)
    clock.now = 3 * 3600
    with pytest.raises(Busy, match="possible in 21 h 0 min"):
        await asks(quota)
    clock.now = 24 * 3600
    await asks(quota)


async def test_only_so_many_questions_wait_at_once(clock: Clock) -> None:
    quota = quota_of(clock, at_once=2)
    async with quota.admit("ann"):
        async with quota.admit("ann"):
            with pytest.raises(Busy, match="earlier questions"):
                await quota.admit("ann").__aenter__()
        async with quota.admit("ann"):
            pass


async def test_a_question_that_failed_gives_its_place_back(clock: Clock) -> None:
    quota = quota_of(clock, at_once=1)
    with pytest.raises(ZeroDivisionError):
        async with quota.admit("ann"):
            raise ZeroDivisionError
    async with quota.admit("ann"):
        pass


async def test_files_count_before_they_are_opened_whatever_comes_of_them(clock: Clock) -> None:
    quota = quota_of(clock, pictures_per_minute=3)
    await quota.count_files("ann", "k1", 2)
    with pytest.raises(QuotaReached, match="3 pictures a minute"):
        await quota.count_files("ann", "k2", 2)
    await quota.count_files("ann", "k2", 1)
    await quota.count_files("bob", "k3", 3)
    clock.now = 61
    await quota.count_files("ann", "k4", 3)


async def test_files_count_once_however_often_their_message_is_tried(clock: Clock) -> None:
    quota = quota_of(clock, pictures_per_minute=2)
    for _ in range(5):
        await quota.count_files("ann", "k1", 2)


async def test_a_picture_does_not_count_again_when_its_file_did(clock: Clock) -> None:
    quota = quota_of(clock, pictures_per_minute=3)
    await quota.count_files("ann", "k1", 2)
    await about(quota, "ann", "k1", ["a", "b"])
    await quota.count_files("ann", "k2", 1)
    await quota.count_pictures("ann", ["c"])
    with pytest.raises(QuotaReached):
        await quota.count_files("ann", "k3", 1)


async def test_the_same_file_sent_again_counts_again(clock: Clock) -> None:
    """It has to be opened again before it is known to be the same."""
    quota = quota_of(clock, pictures_per_minute=3)
    for key in ("k1", "k2", "k3"):
        await quota.count_files("ann", key, 1)
        await about(quota, "ann", key, ["a"])
    with pytest.raises(QuotaReached):
        await quota.count_files("ann", "k4", 1)


async def test_pages_beyond_the_first_of_a_document_count_as_pictures(clock: Clock) -> None:
    quota = quota_of(clock, pictures_per_minute=3)
    await quota.count_files("ann", "k1", 1)
    with pytest.raises(QuotaReached):
        await about(quota, "ann", "k1", ["a", "b", "c", "d"])
    await about(quota, "ann", "k2", ["a", "b", "c"])


async def test_more_files_than_are_ever_possible_are_no_matter_of_time(clock: Clock) -> None:
    with pytest.raises(BadQuestion, match="At most 3"):
        await quota_of(clock, pictures_per_minute=3).count_files("ann", "k1", 4)


async def test_a_question_that_would_be_refused_is_refused_before_any_work(clock: Clock) -> None:
    quota = quota_of(clock, questions_per_minute=1, at_once=1)
    await quota.check_question("ann")
    async with quota.admit("ann"):
        with pytest.raises(Busy, match="earlier questions"):
            await quota.check_question("ann")
    await about(quota, "ann", "k1")
    with pytest.raises(QuotaReached, match="1 questions a minute"):
        await quota.check_question("ann")
    clock.now = 61
    await quota.check_question("ann")


async def test_a_question_that_is_not_answered_is_not_counted(clock: Clock) -> None:
    quota = quota_of(clock, questions_per_minute=1)
    with pytest.raises(ZeroDivisionError):
        async with quota.question("ann", "k1"):
            raise ZeroDivisionError
    with pytest.raises(Interrupted):
        async with quota.question("ann", "k2"):
            raise Interrupted("later")
    with pytest.raises(QuotaReached):
        await asks(quota)
    with pytest.raises(ZeroDivisionError):  # this was the last attempt
        async with quota.question("ann", "k2"):
            raise ZeroDivisionError
    await asks(quota)


async def test_an_answer_that_cannot_be_replaced_stays_counted(clock: Clock) -> None:
    quota = quota_of(clock, questions_per_minute=1)
    await about(quota, "ann", "k1")
    with pytest.raises(ZeroDivisionError):
        async with quota.question("ann", "k1", was_answered=True):
            raise ZeroDivisionError
    with pytest.raises(QuotaReached):
        await asks(quota)


async def test_a_question_that_is_refused_for_what_it_says_stays_counted(clock: Clock) -> None:
    quota = quota_of(clock, questions_per_minute=1)
    with pytest.raises(BadQuestion):
        async with quota.question("ann", "k1"):
            raise BadQuestion("too long for the model")
    with pytest.raises(QuotaReached):
        await asks(quota)


async def test_a_check_takes_no_place(clock: Clock) -> None:
    class Slow(MemoryTallies):
        async def tally(self, name: str) -> tuple[Counts, float]:
            await entered.wait()
            return await super().tally(name)

    entered = asyncio.Event()
    quota = Quota(QuotaConfig(at_once=1), Slow(clock), SingleReplica())
    checking = asyncio.create_task(quota.check_question("ann"))
    await asyncio.sleep(0)
    async with quota.admit("ann"):
        entered.set()
        await checking


@pytest.mark.parametrize("a_day", [0, 1])
async def test_an_interrupted_question_is_not_refused_when_it_is_tried_again(clock: Clock, a_day: int) -> None:
    quota = quota_of(clock, questions_per_minute=1, questions_per_day=a_day)
    with pytest.raises(Interrupted):
        async with quota.question("ann", "k1"):
            raise Interrupted("later")
    clock.now = 61
    if not a_day:
        await asks(quota)
    await about(quota, "ann", "k1")


async def test_that_nothing_can_be_counted_is_not_the_person_s_limit(caplog: pytest.LogCaptureFixture) -> None:
    class Down(MemoryTallies):
        async def change_tally(self, name: str, seconds: float, change: Callable[[Counts, float], Result]) -> Result:
            raise StoreDown("The disk is full.")

    caplog.set_level(logging.INFO)
    with pytest.raises(StoreDown):
        await asks(Quota(QuotaConfig(), Down(), SingleReplica()))
    assert "rate_limited" not in caplog.text


async def test_counts_outlive_the_service(clock: Clock) -> None:
    tallies, config = MemoryTallies(clock), QuotaConfig(questions_per_day=1)
    await asks(Quota(config, tallies, SingleReplica()))
    with pytest.raises(QuotaReached):
        await asks(Quota(config, tallies, SingleReplica()))


async def test_a_clock_that_ran_ahead_keeps_no_one_out_once_it_is_corrected(clock: Clock) -> None:
    quota = quota_of(clock, questions_per_minute=1, questions_per_day=1, pictures_per_minute=1)
    clock.now = 1e9
    await quota.count_files("ann", "k", 1)
    await asks(quota)
    clock.now = 0
    await quota.check_question("ann")
    await asks(quota, pictures=1)
    with pytest.raises(QuotaReached):
        await asks(quota)


async def test_clocks_that_differ_a_little_let_no_more_pass(clock: Clock) -> None:
    quota = quota_of(clock, questions_per_minute=1)
    clock.now = 100
    await asks(quota)
    clock.now = 95
    with pytest.raises(QuotaReached):
        await asks(quota)


@pytest.mark.parametrize("a_day", [2, 0])
async def test_no_more_is_kept_than_is_looked_at(clock: Clock, a_day: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.quota.MOST_KEYS", 3)
    tallies = MemoryTallies(clock)
    quota = Quota(QuotaConfig(questions_per_minute=1, questions_per_day=a_day), tallies, SingleReplica())
    await quota.count_files("ann", "k", 3)
    await asks(quota, pictures=2)
    clock.now += 86_400
    await asks(quota, key="telegram:42:1")
    [kept] = tallies.tallies.values()
    assert [len(kept[what]) for what in ("questions", "pictures", "files", "messages")] == [1, 0, 0, 0]
    assert "42" not in str(kept["questions"].keys())
    if not a_day:
        for _ in range(9):
            clock.now += 60
            await asks(quota)
        assert len(next(iter(tallies.tallies.values()))["questions"]) == 4  # and the one that has just come


async def test_zero_means_no_limit(clock: Clock) -> None:
    quota = quota_of(clock, questions_per_minute=0, questions_per_day=0, pictures_per_minute=0, at_once=0)
    for _ in range(1_000):
        await asks(quota, pictures=9)
