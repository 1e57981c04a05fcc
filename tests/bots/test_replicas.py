"""Several services on one PostgreSQL answer each question once, also when one of them dies or sleeps."""

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bots.conversing.permissions import Decision
from core.answer import Ending
from core.assistant import Assistant
from core.conversation import Question
from core.errors import Busy
from core.quota import Quota, QuotaConfig
from core.replica import PRESENCE, SLOT, Replica
from core.revision import Revision
from core.uptime import uptime
from core.wish import Wish
from storage.store import Store, StoreConfig
from tests.bots.echo.replica import replica
from tests.fakes import ScriptedEngine
from tests.storage.postgres import execute, fetch
from tests.storage.things import image

SECONDS = 3600.0  # of a lease that is not to end here
SLEPT_SECONDS = 6.0  # of a lease that ends while its holder sleeps; who is only slow must not lose it
PATIENCE_SECONDS = 120.0  # the machine may be busy


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = await Store.open(StoreConfig(url=database_url))
    yield store
    await store.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "shown"
    file.touch()
    return file


def lines(file: Path, what: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    return [line for line in found if what in line]


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not true():
            await asyncio.sleep(0.02)


async def until_answered(store: Store) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await store.unfinished("echo"):
            await asyncio.sleep(0.05)


def payload(text: str, who: str = "ann") -> str:
    return json.dumps({"who": who, "text": text})


async def unknown() -> bool:
    raise AssertionError("the message is known")


async def begin(store: Store, conversations: Sequence[str]) -> None:
    for conversation in conversations:
        await store.add_pictures(conversation, [image("dog")])


async def test_two_replicas_compute_and_show_each_of_forty_questions_once(
    store: Store, database_url: str, file: Path
) -> None:
    conversations = [f"echo:{number}" for number in range(10)]
    await begin(store, conversations)
    questions = [
        (f"k {name} {number}", name, payload(f"{name} {number}")) for number in range(4) for name in conversations
    ]
    async with replica(database_url, file, 60) as one, replica(database_url, file, 60) as other:
        for question in questions:  # an event may reach both
            taken = await asyncio.gather(
                one.dispatcher.inbox.receive(*question), other.dispatcher.inbox.receive(*question)
            )
            assert sorted(taken) == [False, True]
        await until_answered(store)
    asked = [line["asked"] for line in lines(file, "asked")]
    assert Counter(asked) == Counter({json.loads(text)["text"]: 1 for _, _, text in questions})
    assert Counter(line["text"].split(" is")[0] for line in lines(file, "text")) == Counter(asked)
    for conversation in conversations:
        assert [turn.text for turn in (await store.outline(conversation)).turns] == [
            f"{conversation} {n}" for n in range(4)
        ]
        assert len({line["by"] for line in lines(file, "asked") if line["asked"].startswith(f"{conversation} ")}) == 1


async def test_a_replica_that_ends_gives_its_conversations_back_at_once(
    store: Store, database_url: str, file: Path
) -> None:
    await begin(store, ["echo:1"])
    async with replica(database_url, file, 3600) as one:
        await one.dispatcher.inbox.receive("k1", "echo:1", payload("1"))
        await until_answered(store)
    async with replica(database_url, file, 3600) as other:
        await other.dispatcher.inbox.receive("k2", "echo:1", payload("2"))
        await until_answered(store)
    assert [line["text"] for line in lines(file, "text")] == ["1 is answered", "2 is answered"]


async def test_an_order_to_forget_reaches_the_replica_that_answers(store: Store, database_url: str, file: Path) -> None:
    await begin(store, ["echo:1"])
    async with replica(database_url, file, 60, pause=3600) as one, replica(database_url, file, 60) as other:
        await one.dispatcher.inbox.receive("k1", "echo:1", payload("1"))
        await until(lambda: lines(file, "asked"))
        await other.dispatcher.inbox.receive("k2", "echo:1", payload("!forget"))
        await until_answered(store)
        assert not (await store.outline("echo:1")).turns
    [forgotten] = lines(file, "text")
    assert forgotten["by"] == lines(file, "asked")[0]["by"]


async def test_edits_and_stop_reach_the_replica_that_answers(store: Store, database_url: str, file: Path) -> None:
    await begin(store, ["echo:1"])
    async with replica(database_url, file, 60, pause=3600) as one, replica(database_url, file, 60) as other:
        await one.dispatcher.inbox.receive("k1", "echo:1", payload("1"), digest=str(Revision.of(0, "1")))
        await until(lambda: lines(file, "asked"))
        await other.dispatcher.edit("k1", payload("2"), Revision.of(1, "2"), unknown)
        await until(lambda: len(lines(file, "asked")) == 2)
        await other.dispatcher.running.stop_by("k2", "echo:1", payload("!stop"))
        await until_answered(store)
        assert not other.dispatcher.inbox.find("k1")
    [turn] = (await store.outline("echo:1")).turns
    assert (turn.text, turn.answer and turn.answer.ending) == ("2", Ending.STOPPED)
    assert len({line["by"] for line in lines(file, "asked")}) == 1


async def test_what_was_stopped_is_not_answered_by_the_replica_that_takes_it_over(
    store: Store, database_url: str, file: Path
) -> None:
    await begin(store, ["echo:1"])
    await store.put("echo", "k1", "echo:1", payload("1"))
    assert await store.wish("k1", Wish.STOP)
    async with replica(database_url, file, 60):
        await until_answered(store)
    assert [line["text"] for line in lines(file, "text")] == ["(stopped)"]
    assert not lines(file, "asked")


async def test_a_deleted_question_gets_no_answer_from_the_replica_that_works_on_it(
    store: Store, database_url: str, file: Path
) -> None:
    await begin(store, ["echo:1"])
    async with replica(database_url, file, 60, pause=3600) as one, replica(database_url, file, 60) as other:
        await one.dispatcher.inbox.receive("k1", "echo:1", payload("1"))
        await until(lambda: lines(file, "asked"))
        await other.dispatcher.withdraw("k1")
        await until_answered(store)
    assert not lines(file, "text")


async def test_a_deletion_is_stored_where_its_message_is_only_on_its_way_to_another_replica(
    store: Store, database_url: str, file: Path
) -> None:
    async with replica(database_url, file, 60) as one:
        assert await store.claim_lease("echo:1", "another", SECONDS)
        await one.dispatcher.inbox.receive("k1", "echo:1", payload("1"))
        await one.dispatcher.withdraw("k1")
        [message] = await store.unfinished("echo")
    assert message.withdrawn


async def test_whom_an_admin_blocks_at_one_replica_none_answers(store: Store, database_url: str, file: Path) -> None:
    await begin(store, ["echo:1"])
    async with replica(database_url, file, 60) as one, replica(database_url, file, 60) as other:
        await one.dispatcher.inbox.receive("k1", "echo:1", payload("1", "EVE"))
        await until_answered(store)
        await other.dispatcher.permissions.decide("EVE", Decision.BLOCK, "ADA")
        await one.dispatcher.inbox.receive("k2", "echo:1", payload("2", "EVE"))
        await until_answered(store)
    assert [line["text"] for line in lines(file, "text")] == ["1 is answered"]


@contextmanager
def process(database_url: str, file: Path, seconds: float = SECONDS) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a replica that ends no answer before SIGUSR1."""
    command = [sys.executable, "-m", "tests.bots.echo.replica", database_url, str(file), str(seconds)]
    with subprocess.Popen(command) as running:
        try:
            yield running
        finally:
            running.kill()


async def test_what_a_killed_replica_answered_is_answered_by_another(
    store: Store, database_url: str, file: Path
) -> None:
    conversations = [f"echo:{number}" for number in range(4)]
    await begin(store, conversations)
    with process(database_url, file) as killed, process(database_url, file) as other:
        await until(lambda: len(lines(file, "ready")) == 2)
        [dies] = [line["by"] for line in lines(file, "ready") if line["ready"] == killed.pid]
        other.send_signal(signal.SIGUSR1)
        for conversation in conversations:
            assert await store.claim_lease(conversation, dies, SECONDS)
        for conversation in conversations:
            await store.put("echo", f"k {conversation}", conversation, payload(conversation))
        await until(lambda: len(lines(file, "asked")) == len(conversations))
        killed.kill()
        killed.wait()
        await execute(database_url, f"UPDATE leases SET until = 0 WHERE owner = '{dies}'")
        await until_answered(store)
    assert Counter(line["by"] == dies for line in lines(file, "asked")) == {True: 4, False: 4}
    shown = lines(file, "text")
    assert Counter(line["text"] for line in shown) == {
        f"{conversation} is answered": 1 for conversation in conversations
    }
    assert dies not in {line["by"] for line in shown}
    assert [len((await store.outline(conversation)).turns) for conversation in conversations] == [1] * 4


async def test_a_replica_that_slept_too_long_finishes_nothing(store: Store, database_url: str, file: Path) -> None:
    await begin(store, ["echo:1"])
    with process(database_url, file, SLEPT_SECONDS) as sleeper, process(database_url, file) as other:
        await until(lambda: len(lines(file, "ready")) == 2)
        [sleeps] = [line["by"] for line in lines(file, "ready") if line["ready"] == sleeper.pid]
        assert await store.claim_lease("echo:1", sleeps, SECONDS)  # until it takes it up itself
        await store.put("echo", "k1", "echo:1", payload("1"))
        await until(lambda: lines(file, "asked"))
        sleeper.send_signal(signal.SIGSTOP)
        await until(lambda: len(lines(file, "asked")) == 2)
        sleeper.send_signal(signal.SIGUSR1)  # the end of its answer is the first that it hears of
        sleeper.send_signal(signal.SIGCONT)  # while the other one writes
        other.send_signal(signal.SIGUSR1)
        await until_answered(store)
        await store.put("echo", "k2", "echo:1", payload("2"))
        await until_answered(store)
        assert sleeper.poll() is None
    assert Counter(line["by"] == sleeps for line in lines(file, "asked")) == {True: 1, False: 2}
    assert [line["text"] for line in lines(file, "text")] == ["1 is answered", "2 is answered"]
    assert sleeps not in {line["by"] for line in lines(file, "text")}
    assert [turn.text for turn in (await store.outline("echo:1")).turns] == ["1", "2"]


async def test_replicas_that_start_together_make_the_database_once(database_url: str) -> None:
    stores = await asyncio.gather(*(Store.open(StoreConfig(url=database_url)) for _ in range(5)))
    for store in stores:
        await store.close()


async def test_a_question_that_came_with_words_only_is_finished(store: Store, database_url: str, file: Path) -> None:
    await begin(store, ["echo:1"])
    async with replica(database_url, file, 60) as one:
        await one.dispatcher.inbox.receive("k1", "echo:1", payload("1"), digest="")  # as the page sends it
        await until_answered(store)
    assert [line["text"] for line in lines(file, "text")] == ["1 is answered"]


async def test_what_reached_another_replica_a_moment_before_is_answered_first(
    store: Store, database_url: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.replica.LOOK_SECONDS", 3600.0)
    await begin(store, ["echo:1"])
    async with replica(database_url, file, 60, pause=0.1) as one, replica(database_url, file, 60) as other:
        await one.dispatcher.inbox.receive("k0", "echo:1", payload("0"))
        await until(lambda: lines(file, "asked"))
        await other.dispatcher.inbox.receive("k1", "echo:1", payload("1"))
        await one.dispatcher.inbox.receive("k2", "echo:1", payload("2"))
        await until_answered(store)
    assert [line["text"] for line in lines(file, "text")] == [f"{number} is answered" for number in range(3)]


async def test_a_quota_that_is_spent_at_three_replicas_at_once_is_not_exceeded(database_url: str) -> None:
    stores = [await Store.open(StoreConfig(url=database_url)) for _ in range(3)]
    replicas = [Replica(store, 3600) for store in stores]  # which move nothing on here
    gate = asyncio.Event()
    engines = [ScriptedEngine(gate=gate) for _ in stores]
    limits = QuotaConfig(questions_per_minute=7, at_once=4)
    assistants = [
        Assistant(engine, store, quota=limits, leases=leases)
        for engine, store, leases in zip(engines, stores, replicas, strict=True)
    ]
    most = refused = 0

    async def ask(number: int) -> str:
        nonlocal most, refused
        asking = assistants[number % 3].ask(f"echo:{number}", Question("?", (image("dog"),)), f"k{number}", "ann")
        task = asyncio.ensure_future(asking)
        while not task.done():
            most = max(most, sum(engine.running for engine in engines))
            await asyncio.sleep(0.01)
        error = task.exception()
        refused += isinstance(error, Busy)
        if refused == 8:
            gate.set()
        return str(error.sentence) if isinstance(error, Busy) else str(error or "answered")

    async with asyncio.timeout(PATIENCE_SECONDS):  # more than four at once would wait at the gate for ever
        first = Counter(await asyncio.gather(*map(ask, range(12))))
    assert first == {"answered": 4, "Please wait for the answers to your earlier questions first.": 8}
    second = Counter([await ask(number) for number in range(20, 30)])
    assert second["answered"] == 3 and second.total() == 10
    assert sum(len(engine.asked) for engine in engines) == 7 and most <= 4
    assert await replicas[0].live() == []  # all places were given back
    for store in stores:
        await store.close()


async def test_a_place_of_a_killed_replica_becomes_free(store: Store) -> None:
    killed, other = Replica(store, 0.5), Replica(store, 0.5)
    limits = QuotaConfig(at_once=1)
    async with Quota(limits, store, killed).admit("ann"), asyncio.timeout(PATIENCE_SECONDS):
        while True:  # it does not move its lease on
            try:
                await Quota(limits, store, other).check_question("ann")
                break
            except Busy:
                await asyncio.sleep(0.05)


async def free_at(database_url: str, beginning: str) -> float:
    """Return when the first lease whose name begins so ends, by the database's clock."""
    [(until,)] = await fetch(
        database_url, f"SELECT until FROM leases WHERE name LIKE '{beginning}%' ORDER BY name LIMIT 1"
    )
    return float(until)


async def test_a_place_does_not_outlast_what_else_a_killed_replica_held(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or its person's question, which another replica takes over, would be refused there."""
    replica = Replica(store, 3600)
    running = asyncio.create_task(replica.run())
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await store.live_replicas():
            await asyncio.sleep(0.01)
    monkeypatch.setattr("core.replica.uptime", lambda: uptime() + 1800)
    assert await replica.take_slot("ann", 1)
    assert await free_at(database_url, SLOT) < await free_at(database_url, PRESENCE) - 1000
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_place_is_kept_while_its_replica_lives(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.replica.BEATS_PER_LEASE", SECONDS)  # one each second
    lives, other = Replica(store, SECONDS), Replica(store)
    running = asyncio.create_task(lives.run())
    limits = QuotaConfig(at_once=1)
    async with Quota(limits, store, lives).admit("ann"), asyncio.timeout(PATIENCE_SECONDS):
        first = await free_at(database_url, SLOT)
        while await free_at(database_url, SLOT) == first:
            await asyncio.sleep(0.1)
        with pytest.raises(Busy):
            await Quota(limits, store, other).check_question("ann")
    await Quota(limits, store, other).check_question("ann")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
