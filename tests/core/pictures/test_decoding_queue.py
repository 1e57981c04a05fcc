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


def decode(line: DecodingQueue[DecodingJob], person: str, seconds: float, now: float = 0.0) -> None:
    """Somebody's file that took so long."""
    line.add(job(person, now))
    begun = line.next(False, now)
    assert begun is not None and begun.person == person
    line.ended(begun, now + seconds)


def decode_much(line: DecodingQueue[DecodingJob], person: str) -> None:
    """Many files of somebody, none of which is slow: until second ten."""
    for number in range(10):
        decode(line, person, QUICK_SECONDS, float(number))


def order(line: DecodingQueue[DecodingJob], now: float) -> list[str]:
    """Who comes next, one after the other, when each takes no time."""
    found = []
    while (begun := line.next(False, now)) is not None:
        line.ended(begun, now)
        found.append(begun.person)
    return found


def test_people_are_served_as_they_arrived_whoever_was_ready_first() -> None:
    line: DecodingQueue[DecodingJob] = DecodingQueue()
    for person, arrived in (("a", 3.0), ("b", 1.0), ("c", 2.0)):
        line.add(job(person, 5.0, arrived=arrived))
    assert order(line, 5.0) == ["b", "c", "a"]


def test_whoever_had_the_decoders_for_long_comes_last_for_ten_minutes() -> None:
    line: DecodingQueue[DecodingJob] = DecodingQueue()
    decode_much(line, "a")
    for now, expected in ((20.0, "ba"), (SHARE_SECONDS + 60.0, "ab")):
        line.add(job("a", now))
        line.add(job("b", now + 0.1))
        assert "".join(order(line, now + 1)) == expected


def test_a_little_decoding_costs_nobody_their_place() -> None:
    line: DecodingQueue[DecodingJob] = DecodingQueue()
    decode(line, "a", FREE_SECONDS / 2)
    line.add(job("a", 10.0))
    line.add(job("b", 10.1))
    assert order(line, 11.0) == ["a", "b"]


def test_whoever_spent_much_gets_one_decoder_at_a_time() -> None:
    line: DecodingQueue[DecodingJob] = DecodingQueue()
    decode_much(line, "a")
    for person in ("a", "a", "b", "b"):
        line.add(job(person, 20.0))
    assert [begun.person for _ in range(4) if (begun := line.next(False, 20.0))] == ["b", "b", "a"]


def test_a_job_that_takes_long_gives_way_only_when_somebody_waits() -> None:
    line: DecodingQueue[DecodingJob] = DecodingQueue()
    line.add(job("a"))
    line.next(False, 0.0)
    assert line.gives_way(2 * QUICK_SECONDS) is None
    line.add(job("b", 2 * QUICK_SECONDS))
    assert line.gives_way(QUICK_SECONDS / 2) is None
    giving = line.gives_way(2 * QUICK_SECONDS)
    assert giving is not None and giving.person == "a"


def test_what_gave_way_is_done_where_only_such_jobs_are() -> None:
    line: DecodingQueue[DecodingJob] = DecodingQueue()
    slow = job("a")
    slow.slow = True
    line.add(slow)
    assert line.next(False, 1.0) is None
    assert line.next(True, 1.0) is slow


def test_nobody_waits_for_ever() -> None:
    line: DecodingQueue[DecodingJob] = DecodingQueue()
    line.add(job("a", 0.0))
    line.add(job("b", 10.0))
    assert [late.person for late in line.overdue(QUEUED_SECONDS + 1)] == ["a"]
    assert [waiting.person for waiting in line.waiting] == ["b"]


def test_one_person_has_only_so_many_places() -> None:
    line: DecodingQueue[DecodingJob] = DecodingQueue()
    for _ in range(QUEUED_JOBS_PER_PERSON):
        line.add(job("a"))
    with pytest.raises(Busy):
        line.add(job("a"))
    assert line.add(job("b")) == []


def test_when_the_line_is_full_whoever_holds_the_most_gives_places_up() -> None:
    line: DecodingQueue[DecodingJob] = DecodingQueue()
    places = QUEUED_FILE_BYTES // LEAST_JOB_BYTES
    for number in range(places):
        line.add(job(f"person {number // QUEUED_JOBS_PER_PERSON}", float(number)))
    [left] = line.add(job("b", 100.0))
    assert left.person == "person 0" and left.queued == QUEUED_JOBS_PER_PERSON - 1
    with pytest.raises(Busy):
        line.add(job("person 1", 101.0))
    large = line.add(job("c", 102.0, size=4 * LEAST_JOB_BYTES))
    assert len(large) == 4
    assert sum(waiting.weight for waiting in line.waiting) <= QUEUED_FILE_BYTES


def test_large_files_take_more_of_the_line_than_small_ones() -> None:
    line: DecodingQueue[DecodingJob] = DecodingQueue()
    line.add(job("a", size=QUEUED_FILE_BYTES - LEAST_JOB_BYTES))
    line.add(job("b"))
    with pytest.raises(Busy):
        line.add(job("a"))
    assert [left.person for left in line.add(job("c"))] == ["a"]


def test_files_of_whoever_sent_many_slow_ones_begin_where_only_such_are_done() -> None:
    line: DecodingQueue[DecodingJob] = DecodingQueue()
    decode(line, "a", 2 * FREE_SECONDS)
    line.add(job("a", 20.0))
    line.add(job("b", 20.0))
    assert order(line, 20.0) == ["b"]
    begun = line.next(True, 20.0)
    assert begun is not None and begun.person == "a"
    line.ended(begun, 20.0)
    line.add(job("a", 20.0 + SHARE_SECONDS))
    assert order(line, 20.0 + SHARE_SECONDS) == ["a"], "ten minutes later they are as everybody"


def test_many_quick_files_or_being_nobody_in_particular_is_held_against_nobody() -> None:
    line: DecodingQueue[DecodingJob] = DecodingQueue()
    for number in range(20):
        decode(line, "a", QUICK_SECONDS / 2, float(number))
    decode(line, "", 2 * FREE_SECONDS, 20.0)
    for person in ("a", ""):
        line.add(job(person, 40.0))
    assert sorted(order(line, 40.0)) == ["", "a"]
