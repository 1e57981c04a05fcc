"""Whose file is decoded next; the clock is the test's own."""

import pytest

from core.errors import Busy
from core.pictures.decoding_queue import (
    FREE_SECONDS,
    LEAST_JOB_BYTES,
    QUEUED_FILE_BYTES,
    QUEUED_JOBS_PER_PERSON,
    QUEUED_SECONDS,
    QUICK_SECONDS,
    SHARE_SECONDS,
    DecodingJob,
    DecodingQueue,
)


def job(person: str, now: float = 0.0, size: int = 1, arrived: float | None = None) -> DecodingJob:
    return DecodingJob(person, size, now if arrived is None else arrived, now)


def decode(queue: DecodingQueue[DecodingJob], person: str, seconds: float, now: float = 0.0) -> None:
    """Somebody's file that took so long."""
    queue.add(job(person, now))
    begun = queue.next(False, now)
    assert begun is not None and begun.person == person
    queue.ended(begun, now + seconds)


def decode_much(queue: DecodingQueue[DecodingJob], person: str) -> None:
    """Many files of somebody, none of which is slow: until second ten."""
    for number in range(10):
        decode(queue, person, QUICK_SECONDS, float(number))


def order(queue: DecodingQueue[DecodingJob], now: float) -> list[str]:
    """Who comes next, one after the other, when each takes no time."""
    found = []
    while (begun := queue.next(False, now)) is not None:
        queue.ended(begun, now)
        found.append(begun.person)
    return found


def test_people_are_served_as_they_arrived_whoever_was_ready_first() -> None:
    queue: DecodingQueue[DecodingJob] = DecodingQueue()
    for person, arrived in (("a", 3.0), ("b", 1.0), ("c", 2.0)):
        queue.add(job(person, 5.0, arrived=arrived))
    assert order(queue, 5.0) == ["b", "c", "a"]


def test_whoever_had_the_decoders_for_long_comes_last_for_ten_minutes() -> None:
    queue: DecodingQueue[DecodingJob] = DecodingQueue()
    decode_much(queue, "a")
    for now, expected in ((20.0, "ba"), (SHARE_SECONDS + 60.0, "ab")):
        queue.add(job("a", now))
        queue.add(job("b", now + 0.1))
        assert "".join(order(queue, now + 1)) == expected


def test_a_little_decoding_costs_nobody_their_place() -> None:
    queue: DecodingQueue[DecodingJob] = DecodingQueue()
    decode(queue, "a", FREE_SECONDS / 2)
    queue.add(job("a", 10.0))
    queue.add(job("b", 10.1))
    assert order(queue, 11.0) == ["a", "b"]


def test_whoever_spent_much_gets_one_decoder_at_a_time() -> None:
    queue: DecodingQueue[DecodingJob] = DecodingQueue()
    decode_much(queue, "a")
    for person in ("a", "a", "b", "b"):
        queue.add(job(person, 20.0))
    assert [begun.person for _ in range(4) if (begun := queue.next(False, 20.0))] == ["b", "b", "a"]


def test_a_job_that_takes_long_gives_way_only_when_somebody_waits() -> None:
    queue: DecodingQueue[DecodingJob] = DecodingQueue()
    queue.add(job("a"))
    queue.next(False, 0.0)
    assert queue.gives_way(2 * QUICK_SECONDS) is None
    queue.add(job("b", 2 * QUICK_SECONDS))
    assert queue.gives_way(QUICK_SECONDS / 2) is None
    giving = queue.gives_way(2 * QUICK_SECONDS)
    assert giving is not None and giving.person == "a"


def test_what_gave_way_is_done_where_only_such_jobs_are() -> None:
    queue: DecodingQueue[DecodingJob] = DecodingQueue()
    slow = job("a")
    slow.slow = True
    queue.add(slow)
    assert queue.next(False, 1.0) is None
    assert queue.next(True, 1.0) is slow


def test_nobody_waits_for_ever() -> None:
    queue: DecodingQueue[DecodingJob] = DecodingQueue()
    queue.add(job("a", 0.0))
    queue.add(job("b", 10.0))
    assert [late.person for late in queue.overdue(QUEUED_SECONDS + 1)] == ["a"]
    assert [waiting.person for waiting in queue.waiting] == ["b"]


def test_one_person_has_only_so_many_places() -> None:
    queue: DecodingQueue[DecodingJob] = DecodingQueue()
    for _ in range(QUEUED_JOBS_PER_PERSON):
        queue.add(job("a"))
    with pytest.raises(Busy):
        queue.add(job("a"))
    assert queue.add(job("b")) == []


def test_when_the_line_is_full_whoever_holds_the_most_gives_places_up() -> None:
    queue: DecodingQueue[DecodingJob] = DecodingQueue()
    places = QUEUED_FILE_BYTES // LEAST_JOB_BYTES
    for number in range(places):
        queue.add(job(f"person {number // QUEUED_JOBS_PER_PERSON}", float(number)))
    [left] = queue.add(job("b", 100.0))
    assert left.person == "person 0" and left.queued == QUEUED_JOBS_PER_PERSON - 1
    with pytest.raises(Busy):
        queue.add(job("person 1", 101.0))
    large = queue.add(job("c", 102.0, size=4 * LEAST_JOB_BYTES))
    assert len(large) == 4
    assert sum(waiting.weight for waiting in queue.waiting) <= QUEUED_FILE_BYTES


def test_large_files_take_more_of_the_line_than_small_ones() -> None:
    queue: DecodingQueue[DecodingJob] = DecodingQueue()
    queue.add(job("a", size=QUEUED_FILE_BYTES - LEAST_JOB_BYTES))
    queue.add(job("b"))
    with pytest.raises(Busy):
        queue.add(job("a"))
    assert [left.person for left in queue.add(job("c"))] == ["a"]


def test_files_of_whoever_sent_many_slow_ones_begin_where_only_such_are_done() -> None:
    queue: DecodingQueue[DecodingJob] = DecodingQueue()
    decode(queue, "a", 2 * FREE_SECONDS)
    queue.add(job("a", 20.0))
    queue.add(job("b", 20.0))
    assert order(queue, 20.0) == ["b"]
    begun = queue.next(True, 20.0)
    assert begun is not None and begun.person == "a"
    queue.ended(begun, 20.0)
    queue.add(job("a", 20.0 + SHARE_SECONDS))
    assert order(queue, 20.0 + SHARE_SECONDS) == ["a"], "ten minutes later they are as everybody"


def test_many_quick_files_or_being_nobody_in_particular_is_held_against_nobody() -> None:
    queue: DecodingQueue[DecodingJob] = DecodingQueue()
    for number in range(20):
        decode(queue, "a", QUICK_SECONDS / 2, float(number))
    decode(queue, "", 2 * FREE_SECONDS, 20.0)
    for person in ("a", ""):
        queue.add(job(person, 40.0))
    assert sorted(order(queue, 40.0)) == ["", "a"]
