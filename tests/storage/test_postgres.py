"""The store on PostgreSQL, for several replicas."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from core.answer import Answer, Ending
from core.conversation import Conversation, Picture, Turn
from core.errors import Busy, NoRoom, OperatorError
from storage.clock import DAY_SECONDS, Clock
from storage.store import Store, StoreConfig
from tests.storage.machine import Machine
from tests.storage.things import ask, image, numbers, outlined

CAT, DOG = image("cat", b"as it was sent"), image("dog")


@pytest.fixture
async def store(server: str) -> AsyncIterator[Store]:
    for attempt in range(100):  # it listens a moment before it serves
        try:
            store = await Store.open(StoreConfig(url=server, ratings=True))
            break
        except (OperatorError, OSError):
            if attempt == 99:
                raise
            await asyncio.sleep(0.05)
    yield store
    for summary in (await store.summaries()).summaries:
        await store.forget(summary.id)
    await store.close()


async def test_conversations_live_as_on_sqlite(store: Store) -> None:
    assert await store.add_pictures("t:1", [DOG]) == [1]
    first = await ask(store, "t:1", "What is it? 🐕", CAT, key="k1", answer="一只猫")
    second = await ask(store, "t:1", "And now?", DOG, key="k2")
    assert (await store.load("t:1")).turns == (replace(first, pictures=_plain(first)), second)
    assert numbers(first) == [1, 2]
    better = replace(second, answer=Answer("better", Ending.DONE))
    await store.save("t:1", better, "k3", replaces="k2")
    assert (await store.load("t:1")).turns[1] == better
    assert (await store.keys("t:1"))[-1] == "k3"
    assert await store.answered("k2") == outlined(second)
    assert await store.picture(CAT.id) == CAT
    assert await store.remove_picture("t:1", 1)
    assert (await store.load("t:1")).next_number == 3
    assert [summary.id for summary in (await store.summaries("t")).summaries] == ["t:1"]
    await store.restart("t:1")
    assert await store.load("t:1") == Conversation("t:1")
    assert not (await store.summaries("t")).summaries  # nothing was asked in it yet
    assert await store.rate("k3", 1)
    assert [turn.rating for turn in await store.rated()] == [1]


def _plain(turn: Turn) -> tuple[Picture, ...]:
    return tuple(replace(picture, image=replace(picture.image, original=None)) for picture in turn.pictures)


async def test_messages_live_as_on_sqlite(store: Store, server: str) -> None:
    message = await store.put("telegram", "u1", "t:1", "payload", "album")
    assert message is not None
    assert await store.put("telegram", "u1", "t:1", "again") is None
    await store.record_posted(message.id, ["100", "101"])
    [unfinished] = await store.unfinished("telegram")
    assert (unfinished.payload, unfinished.posted_ids) == ("payload", ("100", "101"))
    turn = await ask(store, "t:1", "?", DOG, key="u1")
    assert await store.turn_of_posted("telegram", "101", "t:1") == outlined(turn)
    await store.finish([message.id])
    assert await store.unfinished("telegram") == []
    machine = Machine()
    replica = await Store.open(StoreConfig(url=server), machine.clock())
    machine.passes(31 * DAY_SECONDS)
    assert await replica.expiry.expire() == 1
    await replica.close()
    assert await store.put("telegram", "u1", "t:1", "after it expired") is not None
    await store.expiry.expire_now()  # and the time is the database's again


async def test_a_replica_whose_clock_is_wrong_asks_the_database(store: Store, server: str) -> None:
    await ask(store, "t:1", "?", DOG, key="u1")
    wrong = Clock()
    wrong._here = lambda: time.time() + 400 * DAY_SECONDS
    replica = await Store.open(StoreConfig(url=server), wrong)
    assert (await replica.expiry.expire(), replica.expiry.doubt) == (0, "")
    await ask(replica, "t:2", "?", DOG, key="u2")
    await replica.close()
    for summary in (await store.summaries()).summaries:
        assert abs(summary.updated.timestamp() - time.time()) < DAY_SECONDS


async def test_replicas_take_a_message_once_and_number_pictures_once(store: Store, server: str) -> None:
    other = await Store.open(StoreConfig(url=server, ratings=True))
    keys = [f"replica {number}" for number in range(20)]
    results = await asyncio.gather(*[side.put("t", key, "t:1", "x") for key in keys for side in (store, other)])
    assert sum(result is not None for result in results) == len(keys)
    pictures = [image(f"picture {number}") for number in range(5)]
    given = await asyncio.gather(
        *[side.add_pictures("t:2", [picture]) for picture in pictures for side in (store, other)]
    )
    assert sorted({number for [number] in given}) == [1, 2, 3, 4, 5]
    assert [picture.number for picture in (await store.load("t:2")).waiting] == [1, 2, 3, 4, 5]
    await other.close()


async def test_a_lost_server_is_explained(server: str) -> None:
    url = server.rsplit(":", 1)[0] + ":1/postgres"
    with pytest.raises((OperatorError, Busy), match="cannot be opened"):
        await Store.open(StoreConfig(url=url))


async def test_what_was_sent_goes_first_where_there_is_a_limit(store: Store, server: str) -> None:
    large = replace(image("large"), data=bytes(60_000), original=bytes(800_000))
    await ask(store, "t:large", "?", large, key="large")
    small = await Store.open(StoreConfig(url=server, size_limit_gb=0.001, person_limit_gb=0.0))
    await small.make_room("ann", [replace(image("new"), data=bytes(200_000))])
    assert (await small.picture(large.id)).original is None
    with pytest.raises(NoRoom):
        await small.make_room("ann", [replace(image("new"), data=bytes(2_000_000))])
    await small.close()
