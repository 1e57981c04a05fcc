"""What is counted, on SQLite and on PostgreSQL: for all services together, and not at all when it fails."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from core.errors import QuotaReached
from core.quota import Quota, QuotaConfig
from core.single_replica import SingleReplica
from core.tally import Counts
from storage.store import Store, StoreConfig

SERVICES = 3


@pytest.fixture
async def stores(url: str) -> AsyncIterator[list[Store]]:
    """Those of several replicas, or that of the only service."""
    stores = [await Store.open(StoreConfig(url=url)) for _ in range(SERVICES if "postgresql" in url else 1)]
    yield stores
    for store in stores:
        await store.close()


def count(counts: Counts, now: float) -> int:
    counts["n"] = counts.get("n", 0) + 1
    return int(counts["n"])


async def test_nothing_is_lost_when_all_count_at_once(stores: list[Store]) -> None:
    found = await asyncio.gather(*(store.change_tally("a", 60, count) for _ in range(10) for store in stores))
    assert sorted(found) == list(range(1, len(found) + 1))
    assert (await stores[-1].tally("a"))[0] == {"n": len(found)}
    assert (await stores[0].tally("b"))[0] == {}


async def test_what_fails_is_not_counted(stores: list[Store]) -> None:
    def fail(counts: Counts, now: float) -> None:
        count(counts, now)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await stores[0].change_tally("a", 60, fail)
    assert (await stores[0].tally("a"))[0] == {}


async def test_a_quota_that_is_spent_everywhere_at_once_is_not_exceeded(stores: list[Store]) -> None:
    async def ask(number: int) -> bool:
        quota = Quota(QuotaConfig(questions_per_minute=7), stores[number % len(stores)], SingleReplica())
        try:
            async with quota.question("telegram:42", f"k{number}"):
                return True
        except QuotaReached:
            return False

    assert sum(await asyncio.gather(*map(ask, range(30)))) == 7
    again = [Quota(QuotaConfig(questions_per_minute=7), store, SingleReplica()) for store in stores]
    for quota in again:  # after a restart, too
        with pytest.raises(QuotaReached):
            await quota.check_question("telegram:42")


async def test_counts_that_no_limit_looks_at_are_dropped(stores: list[Store]) -> None:
    await stores[0].change_tally("old", -1, count)
    await stores[0].change_tally("new", 3600, count)
    await stores[0].expiry.expire()
    assert [(await stores[0].tally(name))[0] for name in ("old", "new")] == [{}, {"n": 1}]
