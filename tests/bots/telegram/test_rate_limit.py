import asyncio

import pytest

from bots.conversing.delivery_errors import RetryLater
from bots.telegram.rate_limit import Rank, RateLimit
from tests.virtual import run


def test_a_final_edit_goes_before_a_placeholder() -> None:
    went: list[Rank] = []

    async def scene() -> None:
        rate_limit = RateLimit()

        async def write(rank: Rank) -> None:
            async with rate_limit.slot(1, rank, object()):
                went.append(rank)

        await asyncio.gather(*(write(rank) for rank in (Rank.POST, Rank.POST, Rank.FINAL)))

    run(scene())
    assert went == [Rank.FINAL, Rank.POST, Rank.POST]


def test_a_growing_text_never_waits_and_never_comes_before_an_end() -> None:
    async def scene() -> None:
        rate_limit = RateLimit(pause_s=1.0)
        with pytest.raises(RetryLater):  # a run before this one may have written just now
            async with rate_limit.slot(1, Rank.GROWING, object()):
                pass
        async with rate_limit.slot(1, Rank.FINAL, object()):
            with pytest.raises(RetryLater):
                async with rate_limit.slot(1, Rank.GROWING, object()):
                    pass
        await asyncio.sleep(1.1)
        async with rate_limit.slot(1, Rank.GROWING, object()):
            pass

    run(scene())


def test_growing_texts_leave_a_group_enough_writes_for_answers() -> None:
    async def scene() -> None:
        rate_limit = RateLimit(pause_s=0.001, group_per_minute=20)
        grown, answer = 0, object()
        for _ in range(200):
            try:
                async with rate_limit.slot(-1, Rank.GROWING, answer):
                    grown += 1
            except RetryLater:
                await asyncio.sleep(0.001)
        assert grown == 10
        async with asyncio.timeout(1):
            async with rate_limit.slot(-1, Rank.FINAL, object()):
                pass

    run(scene())


async def test_a_full_minute_of_a_group_is_waited_out_and_no_other_chat_waits() -> None:
    rate_limit = RateLimit(pause_s=0.0, group_per_minute=3)
    for _ in range(3):
        async with rate_limit.slot(-1, Rank.FINAL, object()):
            pass
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1), rate_limit.slot(-1, Rank.FINAL, object()):
            pass
    async with asyncio.timeout(30), rate_limit.slot(-2, Rank.POST, object()), rate_limit.slot(1, Rank.POST, object()):
        pass


async def test_a_wait_that_telegram_asks_for_holds_everything_in_its_chat() -> None:
    rate_limit = RateLimit(pause_s=0.0)
    rate_limit.block(1, 0.2)
    began = asyncio.get_running_loop().time()
    async with rate_limit.slot(1, Rank.FINAL, object()):
        assert asyncio.get_running_loop().time() - began >= 0.2


async def test_a_long_wait_is_not_forgotten_among_a_thousand_chats(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(RateLimit, "_now", lambda self: clock[0])
    rate_limit = RateLimit(pause_s=0.0)
    rate_limit.block(1, 3600)
    clock[0] = 600
    for chat_id in range(2, 1200):
        rate_limit.block(chat_id, 0)
    with pytest.raises(RetryLater):
        async with rate_limit.slot(1, Rank.GROWING, object()):
            pass


async def test_all_chats_together_keep_to_the_limit() -> None:
    rate_limit = RateLimit(pause_s=0.0, all_per_second=10)
    began = asyncio.get_running_loop().time()

    async def write(chat_id: int) -> None:
        async with rate_limit.slot(chat_id, Rank.POST, object()):
            pass

    await asyncio.gather(*(write(chat_id) for chat_id in range(1, 21)))
    assert asyncio.get_running_loop().time() - began >= 0.9


@pytest.mark.parametrize("ticks", range(6))
async def test_a_write_that_is_cancelled_as_another_one_leaves_the_queue_is_not_made(ticks: int) -> None:
    rate_limit = RateLimit(pause_s=60.0)

    async def write() -> None:
        async with rate_limit.slot(1, Rank.FINAL, object()):
            pass

    first, second = asyncio.create_task(write()), asyncio.create_task(write())
    for _ in range(20):  # until both wait
        await asyncio.sleep(0)
    second.cancel()
    for _ in range(ticks):
        await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first}, timeout=5)
    assert first.cancelled()
