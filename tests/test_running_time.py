"""A machine that stands still costs a test no patience."""

import asyncio
import time

import pytest

from tests.running_time import TICK_S, Stalls, pass_by, within


def stand_still(seconds: float) -> None:
    """Stop the whole loop, as a machine that stops."""
    time.sleep(seconds)


async def test_what_is_there_is_returned_and_what_does_not_come_is_cancelled() -> None:
    never = asyncio.get_running_loop().create_future()
    assert await within(3 * TICK_S, asyncio.sleep(0, "here")) == "here"
    with pytest.raises(TimeoutError):
        await within(3 * TICK_S, never)
    assert never.cancelled()
    with pytest.raises(ZeroDivisionError):
        await within(3 * TICK_S, _fail())


async def _fail() -> None:
    raise ZeroDivisionError


async def test_who_is_waited_for_may_come_after_a_stall_that_is_longer_than_the_wait() -> None:
    loop, came = asyncio.get_running_loop(), asyncio.Event()
    loop.call_soon(stand_still, 8 * TICK_S)
    loop.call_later(2 * TICK_S, came.set)
    await within(6 * TICK_S, came.wait())


async def test_a_stall_is_one_tick_of_a_wait() -> None:
    began = time.monotonic()
    asyncio.get_running_loop().call_soon(stand_still, 5 * TICK_S)
    await pass_by(3 * TICK_S)
    assert time.monotonic() - began >= 7 * TICK_S


async def test_a_stall_between_two_moments_is_not_counted() -> None:
    stalls = Stalls()
    watching, began = asyncio.create_task(stalls.watch()), time.monotonic()
    await asyncio.sleep(0)
    stand_still(10 * TICK_S)
    ended = time.monotonic()
    await pass_by(2 * TICK_S)
    watching.cancel()
    assert ended - began >= 10 * TICK_S
    assert stalls.seconds_between(ended, began) <= 1.5 * TICK_S


def test_only_the_part_of_a_stall_that_lies_between_counts() -> None:
    stalls = Stalls()
    stalls.note(10.0, 20.0)
    assert stalls.seconds_between(5.0, 30.0) == 15.0
    assert stalls.seconds_between(30.0, 15.0) == 10.0
    assert stalls.seconds_between(12.0, 13.0) == 0.0
    assert stalls.seconds_between(1.0, 2.0) == 1.0
    stalls.note(40.0, 41.0)
    assert (stalls.longest_s, Stalls().longest_s) == (10.0, 0.0)
