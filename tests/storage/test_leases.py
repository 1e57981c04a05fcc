"""What replicas hold, on SQLite and on PostgreSQL: one at a time, and what is lost cannot be written under."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from core import lease
from core.answer import Answer, Ending
from core.conversation import Turn
from core.lease import Lease, LeaseLost
from core.uptime import uptime
from storage.store import Store, StoreConfig
from tests.storage.things import image

ANSWERED = Turn("What?", (), Answer("A dog.", Ending.DONE))


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    store = await Store.open(StoreConfig(url=url))
    yield store
    await store.close()


async def test_a_name_is_held_by_one_until_it_is_given_back(store: Store) -> None:
    first = await store.claim_lease("c", "a", 60)
    assert first is not None
    assert await store.claim_lease("c", "b", 60) is None
    assert await store.beat_leases("a", 60, ["c"]) == {"c": first}
    assert await store.beat_leases("a", 60, ["d"]) == {}
    assert await store.beat_leases("b", 60, ["c"]) == {}
    await store.give_back_leases("a", {"c": first + 1})  # of another time that it was held
    assert await store.claim_lease("c", "b", 60) is None
    await store.give_back_leases("a", {"c": first})
    assert await store.claim_lease("c", "b", 60) is not None
    assert await store.beat_leases("a", 60, ["c"]) == {}


async def test_what_nobody_beats_for_becomes_free(store: Store) -> None:
    first = await store.claim_lease("c", "a", -1)  # as if it had been claimed long ago
    assert first is not None
    assert await store.claim_lease("c", "b", 60) == first + 1
    assert await store.claim_lease("c", "b", 60) == first + 2  # its own, which it had not heard of
    assert await store.beat_leases("a", 60, ["c"]) == {}


async def test_claimed_at_once_it_is_one_replicas(store: Store) -> None:
    fences = await asyncio.gather(*[store.claim_lease("c", owner, 60) for owner in "ab" * 10])
    owners = {owner for owner, fence in zip("ab" * 10, fences, strict=True) if fence is not None}
    assert len(owners) == 1


async def test_under_a_lost_lease_nothing_is_written(store: Store) -> None:
    message = await store.put("t", f"k{uptime()}", "t:1", "x")
    fence = await store.claim_lease("t:1", "a", 60)
    assert message is not None and fence is not None
    held = Lease("t:1", "a", fence, uptime() + 60)
    lease.set_current(held)
    await store.record_posted(message.id, ["1"])
    for lost in (replace(held, fence=fence - 1), replace(held, owner="b"), replace(held, name="t:2")):
        lease.set_current(lost)
        for write in (
            store.finish([message.id]),
            store.record_posted(message.id, ["2"]),
            store.save("t:1", ANSWERED, message.key),
            store.add_pictures("t:1", [image("dog")]),
            store.forget("t:1"),
            store.take_back(message, ()),
        ):
            with pytest.raises(LeaseLost):
                await write
    assert [it.posted_ids for it in await store.unfinished("t")] == [("1",)]
    assert await store.answered(message.key) is None
    lease.set_current(held)
    await store.finish([message.id])
    assert await store.unfinished("t") == []


async def test_a_replica_finds_what_no_other_one_works_on(store: Store) -> None:
    for conversation in ("t:1", "t:2", "t:3", "t:4"):
        await store.put("t", f"{conversation} {uptime()}", conversation, "x")
    await store.claim_lease("t:1", "a", 60)
    await store.claim_lease("t:2", "b", 60)
    await store.claim_lease("t:3", "b", -1)
    assert [it.conversation_id for it in await store.open_messages("a")] == ["t:1", "t:3", "t:4"]
    assert [it.conversation_id for it in await store.open_messages("b")] == ["t:2", "t:3", "t:4"]
    await store.finish([it.id for it in await store.unfinished("t")])
    assert await store.open_messages("a") == []


async def test_replicas_are_live_until_all_that_they_hold_has_run_out(store: Store) -> None:
    await store.claim_lease("replica:a", "a", 60)
    await store.claim_lease("c", "a", 60)
    await store.claim_lease("replica:b", "b", 60)
    await store.claim_lease("replica:dead", "dead", -1)
    assert await store.live_replicas() == [("a", 1), ("b", 0)]
