"""Whom admins let in or block, and what strangers have asked, in the database."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from core.person import AccessRequest, Standing
from core.stored_message import StoredMessage
from storage import people
from storage.store import Store, StoreConfig
from tests.storage.test_migrations import migrated

DAY = 24 * 3600.0


async def asked(store: Store, key: str, group: str | None = None) -> StoredMessage:
    message = await store.put("telegram", key, "telegram:8:0", f"payload {key}", group)
    assert message is not None
    return message


@pytest.fixture
def now(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still until a test moves it."""
    moment = [1e9]
    monkeypatch.setattr(store.clock, "now", lambda: moment[0])
    return moment


async def test_what_a_stranger_asked_is_kept_when_finished_and_released_once(store: Store) -> None:
    first, second = await asked(store, "k1"), await asked(store, "k2")
    assert await store.meet("8", first) == AccessRequest(held=True, due=True)
    assert await store.meet("8", second) == AccessRequest(held=True, due=False)
    await store.record_posted(first.id, ["8:2"])
    await store.finish([first.id, second.id])
    assert await store.unfinished("telegram") == []
    done, held = await store.decide("telegram", "8", Standing.ALLOWED)
    assert done and [message.key for message in held] == ["k1", "k2"]
    assert [replace(message, posted_ids=()) for message in await store.unfinished("telegram")] == list(held)
    assert (await store.decide("telegram", "8", Standing.ALLOWED))[1] == []


@pytest.mark.parametrize("standing", [Standing.IGNORED, Standing.BLOCKED, None])
async def test_nothing_is_kept_of_those_who_are_not_let_in(store: Store, path: Path, standing: Standing | None) -> None:
    message = await asked(store, "k1")
    await store.meet("8", message)
    await store.finish([message.id])
    await store.decide("telegram", "8", standing)
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT payload, held_for FROM messages").fetchall() == [(None, None)]
    database.close()
    assert (await store.decide("telegram", "8", Standing.ALLOWED))[1] == []


async def test_a_forgotten_conversation_holds_nothing(store: Store) -> None:
    message = await asked(store, "k1")
    await store.meet("8", message)
    await store.finish([message.id])
    await store.forget("telegram:8:0")
    assert (await store.decide("telegram", "8", Standing.ALLOWED))[1] == []


async def test_admins_are_due_once_a_day_for_each_and_for_ten_an_hour(store: Store, now: list[float]) -> None:
    message = await asked(store, "k1")
    due = [(await store.meet(str(person), message)).due for person in range(30)]
    assert due == [True] * people.TOLD_AN_HOUR + [False] * 20
    now[0] += people.HOUR_SECONDS + 1
    assert not (await store.meet("0", message)).due
    assert (await store.meet("25", message)).due
    now[0] += DAY
    assert (await store.meet("0", message)).due


async def test_who_was_ignored_may_ask_again_tomorrow(store: Store, now: list[float]) -> None:
    message = await asked(store, "k1")
    await store.meet("8", message)
    await store.decide("telegram", "8", Standing.IGNORED, Standing.WAITING)
    assert await store.meet("8", message) == AccessRequest()
    now[0] += DAY
    assert await store.meet("8", message) == AccessRequest(held=True, due=True)
    assert await store.standings("telegram", ["8"]) == {"8": Standing.WAITING}


async def test_a_decision_of_another_admin_is_not_undone_by_a_late_ignore(store: Store) -> None:
    await store.meet("8", await asked(store, "k1"))
    await store.decide("telegram", "8", Standing.ALLOWED)
    assert await store.decide("telegram", "8", Standing.IGNORED, Standing.WAITING) == (False, ())
    assert await store.standings("telegram", ["8"]) == {"8": Standing.ALLOWED}
    assert await store.meet("8", await asked(store, "k2")) == AccessRequest()


async def test_what_strangers_can_make_us_keep_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "UNDECIDED_PEOPLE", 5)
    monkeypatch.setattr(people, "HELD_IN_ALL", 30)
    await store.decide("telegram", "boss's", Standing.ALLOWED)
    held = [(await store.meet("8", await asked(store, f"k{number}"))).held for number in range(25)]
    assert held == [True] * people.HELD_PER_PERSON + [False] * 5
    held = [(await store.meet(str(100 + number), await asked(store, f"o{number}"))).held for number in range(20)]
    assert held.count(True) >= 10
    assert len(await store.known_people(100)) == 6
    long = await store.put("telegram", "long", "telegram:8:0", "x" * (people.HELD_CHARACTERS + 1))
    assert long is not None
    assert not (await store.meet("7", long)).held


async def test_an_album_is_held_whole(store: Store) -> None:
    album = [await asked(store, f"k{number}", "telegram:a") for number in range(3)]
    await store.meet("8", album[0])
    await store.finish([message.id for message in album])
    assert len((await store.decide("telegram", "8", Standing.ALLOWED))[1]) == 3


async def test_people_are_known_by_their_platform(store: Store) -> None:
    await store.decide("telegram", "8", Standing.ALLOWED)
    assert await store.standings("slack", ["8"]) == {}
    assert [person.platform for person in await store.known_people(9, "telegram")] == ["telegram"]
    assert await store.known_people(9, "slack") == []


async def test_who_was_blocked_in_an_older_version_stays_blocked(path: Path) -> None:
    migrated(path, "0009")
    with sqlite3.connect(path) as old:
        for person in ("12", "-100", "U0EVE1", "W0X"):
            old.execute("INSERT INTO blocked VALUES (?, 1e9)", (person,))
    old.close()
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}"))
    assert await store.standings("telegram", ["12", "-100"]) == dict.fromkeys(["12", "-100"], Standing.BLOCKED)
    assert await store.standings("slack", ["U0EVE1", "W0X"]) == dict.fromkeys(["U0EVE1", "W0X"], Standing.BLOCKED)
    await store.close()
