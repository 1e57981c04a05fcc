from itertools import count

import pytest

from core.errors import BadQuestion, Busy, QuotaReached
from core.quota import Quota, QuotaConfig


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


fresh = map(str, count())


def asks(quota: Quota, person: str = "ann", pictures: int = 0) -> None:
    quota.count_question(person, next(fresh), [next(fresh) for _ in range(pictures)])


def test_questions_a_minute_are_limited_and_the_answer_says_when_to_come_back(clock: Clock) -> None:
    quota = Quota(QuotaConfig(questions_per_minute=2), clock)
    asks(quota)
    clock.now = 20
    asks(quota)
    with pytest.raises(Busy, match="2 questions a minute. Try again in 40 s") as caught:
        asks(quota)
    assert caught.value.retry_after == 40
    asks(quota, "bob")
    clock.now = 60
    asks(quota)


def test_pictures_a_minute_are_limited(clock: Clock) -> None:
    quota = Quota(QuotaConfig(pictures_per_minute=3), clock)
    asks(quota, pictures=2)
    clock.now = 10
    with pytest.raises(Busy, match="3 pictures a minute. Try again in 50 s"):
        asks(quota, pictures=2)
    asks(quota, pictures=1)


@pytest.mark.parametrize("before", [0, 1, 3])
def test_more_pictures_at_once_than_a_minute_allows_are_refused_for_good(clock: Clock, before: int) -> None:
    quota = Quota(QuotaConfig(pictures_per_minute=3), clock)
    asks(quota, pictures=before)
    with pytest.raises(BadQuestion, match="At most 3 pictures"):
        asks(quota, pictures=4)


def test_a_picture_counts_once_ahead_of_its_question_and_in_it(clock: Clock) -> None:
    quota = Quota(QuotaConfig(pictures_per_minute=3), clock)
    quota.count_pictures("ann", ["a", "b"])
    quota.count_question("ann", "k1", ["b", "c"])
    quota.count_question("ann", "k2", ["a", "b", "c"])
    with pytest.raises(Busy, match="3 pictures a minute"):
        quota.count_pictures("ann", ["d"])


def test_a_question_that_is_refused_for_its_pictures_is_not_counted(clock: Clock) -> None:
    quota = Quota(QuotaConfig(questions_per_minute=1, pictures_per_minute=1), clock)
    quota.count_pictures("ann", ["a"])
    with pytest.raises(Busy, match="1 pictures"):
        quota.count_question("ann", "k1", ["b"])
    quota.count_question("ann", "k2", ["a"])


def test_a_question_counts_once_however_often_it_is_tried(clock: Clock) -> None:
    quota = Quota(QuotaConfig(questions_per_minute=2, questions_per_day=2), clock)
    for clock.now in range(1000):
        quota.count_question("ann", "k1", ["a"])
    asks(quota)
    with pytest.raises(Busy, match="2 questions within a day"):
        asks(quota)
    clock.now = 86_400
    asks(quota)


def test_questions_a_day_are_limited(clock: Clock) -> None:
    quota = Quota(QuotaConfig(questions_per_minute=0, questions_per_day=3), clock)
    for hour in range(3):
        clock.now = hour * 3600
        asks(quota)
    clock.now = 3 * 3600
    with pytest.raises(Busy, match="possible in 21 h 0 min"):
        asks(quota)
    clock.now = 24 * 3600
    asks(quota)


def test_only_so_many_questions_wait_at_once(clock: Clock) -> None:
    quota = Quota(QuotaConfig(at_once=2), clock)
    with quota.admit("ann"):
        with quota.admit("ann"), pytest.raises(Busy, match="earlier questions"), quota.admit("ann"):
            pass
        with quota.admit("ann"):
            pass


def test_a_question_that_failed_gives_its_place_back(clock: Clock) -> None:
    quota = Quota(QuotaConfig(at_once=1), clock)
    with pytest.raises(ZeroDivisionError), quota.admit("ann"):
        raise ZeroDivisionError
    with quota.admit("ann"):
        pass


def test_files_count_before_they_are_opened_whatever_comes_of_them(clock: Clock) -> None:
    quota = Quota(QuotaConfig(pictures_per_minute=3), clock)
    quota.count_files("ann", "k1", 2)
    with pytest.raises(QuotaReached, match="3 pictures a minute"):
        quota.count_files("ann", "k2", 2)
    quota.count_files("ann", "k2", 1)
    quota.count_files("bob", "k3", 3)
    clock.now = 61
    quota.count_files("ann", "k4", 3)


def test_files_count_once_however_often_their_message_is_tried(clock: Clock) -> None:
    quota = Quota(QuotaConfig(pictures_per_minute=2), clock)
    for _ in range(5):
        quota.count_files("ann", "k1", 2)


def test_a_picture_does_not_count_again_when_its_file_did(clock: Clock) -> None:
    quota = Quota(QuotaConfig(pictures_per_minute=3), clock)
    quota.count_files("ann", "k1", 2)
    quota.count_question("ann", "k1", ["a", "b"])
    quota.count_files("ann", "k2", 1)
    quota.count_pictures("ann", ["c"])
    with pytest.raises(QuotaReached):
        quota.count_files("ann", "k3", 1)


def test_the_same_file_sent_again_counts_again(clock: Clock) -> None:
    """It has to be opened again before it is known to be the same."""
    quota = Quota(QuotaConfig(pictures_per_minute=3), clock)
    for key in ("k1", "k2", "k3"):
        quota.count_files("ann", key, 1)
        quota.count_question("ann", key, ["a"])
    with pytest.raises(QuotaReached):
        quota.count_files("ann", "k4", 1)


def test_pages_beyond_the_first_of_a_document_count_as_pictures(clock: Clock) -> None:
    quota = Quota(QuotaConfig(pictures_per_minute=3), clock)
    quota.count_files("ann", "k1", 1)
    with pytest.raises(QuotaReached):
        quota.count_question("ann", "k1", ["a", "b", "c", "d"])
    quota.count_question("ann", "k2", ["a", "b", "c"])


def test_more_files_than_are_ever_possible_are_no_matter_of_time(clock: Clock) -> None:
    with pytest.raises(BadQuestion, match="At most 3"):
        Quota(QuotaConfig(pictures_per_minute=3), clock).count_files("ann", "k1", 4)


def test_a_question_that_would_be_refused_is_refused_before_any_work(clock: Clock) -> None:
    quota = Quota(QuotaConfig(questions_per_minute=1, at_once=1), clock)
    quota.check_question("ann")
    with quota.admit("ann"), pytest.raises(Busy, match="earlier questions"):
        quota.check_question("ann")
    quota.count_question("ann", "k1")
    with pytest.raises(QuotaReached, match="1 questions a minute"):
        quota.check_question("ann")
    clock.now = 61
    quota.check_question("ann")


def test_nobody_is_remembered_for_longer_than_a_day(clock: Clock) -> None:
    quota = Quota(QuotaConfig(), clock)
    for number in range(100):
        asks(quota, str(number))
    clock.now = 86_401
    asks(quota, "ann")
    assert set(quota._people) == {"ann"}


def test_zero_means_no_limit(clock: Clock) -> None:
    quota = Quota(QuotaConfig(questions_per_minute=0, questions_per_day=0, pictures_per_minute=0, at_once=0), clock)
    for _ in range(1_000):
        asks(quota, pictures=9)
