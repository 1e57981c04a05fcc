"""A clock that is wrong: nothing may expire by it, and what was said meanwhile may not expire because of it."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from core.uptime import uptime
from storage.clock import DAY_SECONDS, HOUR_SECONDS, Reading
from storage.store import Store, StoreConfig
from tests.storage.machine import Machine
from tests.storage.things import ask, image

NOON = 1_800_000_000.0
Start = Callable[[], AbstractAsyncContextManager[Store]]


@pytest.fixture
def start(path: Path, machine: Machine) -> Start:
    """A start of the service: it opens the store and lets expire what is old."""

    @asynccontextmanager
    async def started() -> AsyncIterator[Store]:
        store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}"), machine.clock())
        try:
            await store.expiry.expire()
            yield store
        finally:
            await store.close()

    return started


async def known(store: Store) -> list[str]:
    return sorted(summary.id for summary in (await store.summaries()).summaries)


@pytest.mark.parametrize("days", [8, 40, 400, 4000])
async def test_a_start_with_the_clock_ahead_removes_nothing_for_a_day(
    start: Start, machine: Machine, days: int
) -> None:
    async with start() as store:
        await ask(store, "t:1", "?", image("cat"), key="k1")
    machine.moves_its_clock(days * DAY_SECONDS)
    async with start() as store:
        assert f"{days}.0 days later than it should be" in store.expiry.doubt
        machine.passes(DAY_SECONDS - HOUR_SECONDS)
        assert await store.expiry.expire() == 0
        assert await known(store) == ["t:1"]


async def test_a_clock_that_says_the_same_for_a_day_is_believed(start: Start, machine: Machine) -> None:
    async with start() as store:
        await ask(store, "t:1", "?", key="k1")
    machine.passes(40 * DAY_SECONDS)  # the service was off for so long
    for _ in range(2):  # and is not on for a whole day at a time
        async with start() as store:
            await ask(store, "t:2", "new", key=f"new at {machine.wall_time}")
            machine.passes(0.4 * DAY_SECONDS)
            assert await store.expiry.expire() == 0
    async with start() as store:
        machine.passes(0.3 * DAY_SECONDS)
        assert await store.expiry.expire() == 1
        assert await known(store) == ["t:2"]
        assert not store.expiry.doubt
        machine.passes(25 * DAY_SECONDS)
        assert await store.expiry.expire() == 0
        machine.passes(6 * DAY_SECONDS)
        assert await store.expiry.expire() == 1


async def test_a_clock_that_says_something_else_each_day_is_not_believed(start: Start, machine: Machine) -> None:
    async with start() as store:
        await ask(store, "t:1", "?", key="k1")
        for _ in range(3):
            machine.moves_its_clock(40 * DAY_SECONDS)
            assert await store.expiry.expire() == 0
            machine.passes(0.9 * DAY_SECONDS)
            assert await store.expiry.expire() == 0
    for _ in range(3):
        machine.moves_its_clock(40 * DAY_SECONDS)
        async with start() as store:
            machine.passes(0.9 * DAY_SECONDS)
            assert await store.expiry.expire() == 0
            assert store.expiry.doubt


async def test_what_was_said_with_the_clock_behind_is_there_when_it_is_right_again(
    start: Start, machine: Machine
) -> None:
    async with start() as store:
        await ask(store, "t:1", "?", key="k1")
    machine.moves_its_clock(-400 * DAY_SECONDS)
    async with start() as store:
        assert "Nothing expires until it is right" in store.expiry.doubt
        await ask(store, "t:2", "?", key="k2")
        await store.put("telegram", "u1", "t:3", "asked, and the service was killed")
        machine.passes(3 * DAY_SECONDS)
        assert await store.expiry.expire() == 0
    machine.moves_its_clock(400 * DAY_SECONDS)
    for _ in range(2):
        async with start() as store:
            assert await known(store) == ["t:1", "t:2"]
            assert [message.key for message in await store.unfinished("telegram")] == ["u1"]
            assert not store.expiry.doubt
            machine.passes(2 * DAY_SECONDS)


@pytest.mark.parametrize("days", [2, 40, -2, -40])
async def test_a_clock_that_jumps_while_the_service_runs_removes_nothing(
    start: Start, machine: Machine, days: int
) -> None:
    async with start() as store:
        await ask(store, "t:1", "?", key="k1")
        machine.passes(29 * DAY_SECONDS)
        assert not store.expiry.clock_jumped()
        machine.moves_its_clock(days * DAY_SECONDS)
        assert store.expiry.clock_jumped()
        await ask(store, "t:2", "?", key="k2")
        assert await store.expiry.expire() == 0
        assert store.expiry.doubt
        machine.moves_its_clock(-days * DAY_SECONDS)
        assert store.expiry.clock_jumped()
        assert await store.expiry.expire() == 0
        assert not store.expiry.doubt
        machine.passes(2 * DAY_SECONDS)
        assert await store.expiry.expire() == 1
        assert await known(store) == ["t:2"]


async def test_what_was_dated_into_the_future_is_kept_no_longer_than_the_rest(start: Start, machine: Machine) -> None:
    async with start() as store:
        await ask(store, "t:0", "?", key="k0")
    machine.moves_its_clock(400 * DAY_SECONDS)
    async with start() as store:
        await ask(store, "t:1", "?", key="k1")
        message = await store.put("telegram", "u1", "t:1", "?")
        assert message
        await store.finish([message.id])
    machine.moves_its_clock(-400 * DAY_SECONDS)
    async with start() as store:
        for summary in (await store.summaries()).summaries:
            assert summary.updated.timestamp() <= machine.wall_time + 1
        machine.passes(31 * DAY_SECONDS)
        assert await store.expiry.expire() == 2
        assert await store.put("telegram", "u1", "t:1", "?") is not None


async def test_the_operators_word_makes_the_clock_right_in_both_directions(start: Start, machine: Machine) -> None:
    async with start() as store:
        await ask(store, "t:1", "?", key="k1")
        await store.put("telegram", "u1", "t:9", "never answered")
    machine.moves_its_clock(40 * DAY_SECONDS)
    async with start() as running, start() as store:
        assert await store.expiry.expirable() == (1, 1)
        assert await store.expiry.expire_now() == 1
        assert await store.unfinished("telegram")
        assert await running.expiry.expire() == 0
        assert not running.expiry.doubt
        await ask(running, "t:2", "?", key="k2")
    machine.moves_its_clock(-40 * DAY_SECONDS)
    async with start() as running, start() as store:
        assert running.expiry.doubt
        assert await store.expiry.expire_now(unanswered=True) == 0
        assert await running.expiry.expire() == 0
        assert not running.expiry.doubt
        assert await known(running) == ["t:2"]
        assert (await running.summaries()).summaries[0].updated.timestamp() <= machine.wall_time + 1
        assert await running.unfinished("telegram")
        machine.passes(31 * DAY_SECONDS)
        assert await store.expiry.expirable() == (1, 1)
        assert await store.expiry.expire_now(unanswered=True) == 1
        assert not await running.unfinished("telegram")


async def test_what_a_database_of_an_earlier_version_holds_tells_the_time(
    start: Start, machine: Machine, path: Path
) -> None:
    async with start() as store:
        await ask(store, "t:1", "?", key="k1")
    with sqlite3.connect(path) as old:
        old.execute("DELETE FROM clock")
    old.close()
    machine.moves_its_clock(40 * DAY_SECONDS)
    async with start() as store:
        assert store.expiry.doubt
        assert await known(store) == ["t:1"]


async def test_the_answers_of_today_are_counted_by_the_time_that_is_certain(start: Start, machine: Machine) -> None:
    async with start() as store:
        await ask(store, "t:1", "?", key="k1")
    machine.passes(2 * DAY_SECONDS)
    async with start() as store:
        assert await store.answered_today() == 0
        machine.moves_its_clock(400 * DAY_SECONDS)
        await store.expiry.expire()
        await ask(store, "t:1", "?", key="k2")
        assert await store.answered_today() == 1
        machine.moves_its_clock(-800 * DAY_SECONDS)
        await store.expiry.expire()
        assert await store.answered_today() == 1


def test_a_correction_by_seconds_is_nothing_to_speak_of() -> None:
    for seconds in (-5.0, 0.0, 5.0):
        reading = Reading(NOON, NOON).followed_by(NOON + 600 + seconds, 600)
        assert (reading.doubtful, str(reading)) == (False, "")


def test_uptime_is_no_clock_that_can_be_set() -> None:
    first = uptime()
    assert 0 <= uptime() - first < HOUR_SECONDS
