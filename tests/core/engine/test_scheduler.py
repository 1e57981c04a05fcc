"""Who computes next, told by a clock that the tests move."""

import sys

import pytest

from core.engine.scheduler import DECODING_STEP_SECONDS, UNMEASURED_PREFILL_ROWS, Costs, Job, Scheduler

KNOWN = Costs(patch=0.005, row=0.02, token=0.1, answer=50.0)


def job(rows: int = 0, patches: int = 0, size: int = 10, arrived: float = 0.0) -> Job:
    return Job(bytes=size, arrived=arrived, answer_tokens=100, rows=rows, patches=patches)


def admitted(*jobs: Job, limit: int = 1000, costs: Costs = KNOWN) -> Scheduler[Job]:
    scheduler: Scheduler[Job] = Scheduler(limit, Costs(costs.patch, costs.row, costs.token, costs.answer))
    for each in jobs:
        scheduler.add(each)
    scheduler.admit()
    return scheduler


def test_the_scheduler_imports_no_torch() -> None:
    import subprocess

    code = "import sys, core.engine, core.engine.scheduler; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_nothing_to_do_is_no_step() -> None:
    assert admitted().next_step(0.0) is None


def test_everybody_who_decodes_takes_part_in_every_step() -> None:
    writing = [job(), job(), job()]
    step = admitted(*writing, job(rows=500)).next_step(0.0)
    assert step is not None
    assert step.decode == tuple(writing)
    assert step.prefill


def test_a_long_prefill_is_cut_so_that_a_running_answer_does_not_wait() -> None:
    newcomer = job(rows=10_000)
    step = admitted(job(), newcomer).next_step(0.0)
    assert step is not None
    ((who, rows),) = step.prefill
    assert who is newcomer
    assert rows * 0.02 + 0.1 <= DECODING_STEP_SECONDS + 0.001


def test_a_prefill_that_keeps_nobody_waiting_is_cut_less() -> None:
    alone = admitted(job(rows=10_000)).next_step(0.0)
    together = admitted(job(), job(rows=10_000)).next_step(0.0)
    assert alone is not None
    assert together is not None
    assert alone.prefill[0][1] > 1.5 * together.prefill[0][1]


def test_before_any_speed_is_known_a_chunk_is_small() -> None:
    step = admitted(job(rows=10_000), costs=Costs()).next_step(0.0)
    assert step is not None
    assert step.prefill[0][1] == UNMEASURED_PREFILL_ROWS


def test_newcomers_get_on_however_slow_decoding_is() -> None:
    scheduler = admitted(job(), job(rows=100))
    scheduler.costs.token = 5.0
    step = scheduler.next_step(0.0)
    assert step is not None
    assert step.prefill[0][1] >= 7


def test_a_short_question_passes_a_long_one() -> None:
    long, short = job(rows=2000), job(rows=20)
    step = admitted(long, short).next_step(0.0)
    assert step is not None
    assert step.prefill[0] == (short, 20)
    assert step.prefill[1][0] is long


def test_nobody_is_passed_forever() -> None:
    old, new = job(patches=2000, arrived=0.0), job(rows=50, arrived=100.0)
    step = admitted(old, new).next_step(100.0)
    assert step is not None
    assert step.encoding is old


def test_looking_at_a_picture_leaves_decoding_going() -> None:
    writing, looking = job(), job(patches=4000, rows=1000)
    step = admitted(writing, looking).next_step(0.0)
    assert step is not None
    assert step.decode == (writing,)
    assert step.encoding is looking
    assert step.seconds <= DECODING_STEP_SECONDS


def test_admission_is_by_bytes_and_strictly_in_order() -> None:
    first, large, small = job(size=60), job(size=50), job(size=10)
    scheduler = admitted(first, large, small, limit=100)
    assert scheduler.running == [first]
    scheduler.remove(first)
    assert scheduler.admit() == [large, small]
    assert scheduler.used == 60


def test_a_cancelled_request_leaves_the_line() -> None:
    first, second = job(size=100), job(size=100)
    scheduler = admitted(first, second, limit=100)
    scheduler.remove(second)
    scheduler.remove(first)
    assert scheduler.admit() == []


def test_places_count_everybody_for_whom_nothing_was_computed() -> None:
    begun, fresh, queued = job(rows=100), job(rows=100), job(rows=100, size=1000)
    begun.begun = True
    scheduler = admitted(begun, fresh, queued, limit=1000)
    assert [(who, place) for who, place, _ in scheduler.positions(0.0)] == [(fresh, 1), (queued, 2)]


def test_an_estimate_adds_up_the_work_ahead() -> None:
    scheduler = admitted(job(rows=100), job(rows=100))
    seconds = [estimate for _, _, estimate in scheduler.positions(0.0)]
    assert KNOWN.token is not None
    assert seconds == [
        2.0,
        pytest.approx(2.0 + 2.0 * DECODING_STEP_SECONDS / (DECODING_STEP_SECONDS - KNOWN.token)),
    ]  # the first one reads along then


def test_an_estimate_waits_for_memory_that_running_answers_hold() -> None:
    running, queued = job(size=100), job(rows=100, size=100)
    scheduler = admitted(running, queued, limit=100)
    ((_, _, seconds),) = scheduler.positions(0.0)
    assert seconds is not None
    assert seconds >= 50 * 0.1 + 2.0  # a usual answer's tokens, and its own prefill


def test_of_two_who_wait_for_the_same_memory_the_second_waits_for_the_firsts_answer() -> None:
    scheduler = admitted(job(size=100), job(rows=100, size=100), job(rows=100, size=100), limit=100)
    (_, _, first), (_, _, second) = scheduler.positions(0.0)
    assert first is not None
    assert second is not None
    assert second >= first + 50 * 0.1 + 2.0


def test_there_is_no_estimate_before_speeds_are_known() -> None:
    scheduler = admitted(job(rows=100), costs=Costs())
    assert scheduler.positions(0.0)[0][2] is None


def test_speeds_follow_what_is_measured() -> None:
    costs = Costs()
    costs.measure("row", 1.0)
    assert costs.row == 1.0
    for _ in range(50):
        costs.measure("row", 0.5)
    assert costs.row is not None
    assert abs(costs.row - 0.5) < 0.01


def test_the_place_in_line_is_that_of_the_arrival() -> None:
    """However long it took until the pictures of a question were decoded."""
    scheduler: Scheduler[Job] = Scheduler(limit=0)
    jobs = [Job(bytes=1, arrived=arrived, answer_tokens=1) for arrived in (3.0, 1.0, 2.0, 2.0)]
    for job in jobs:
        scheduler.add(job)
    assert list(scheduler.waiting) == [jobs[1], jobs[2], jobs[3], jobs[0]]
