"""What is kept about one person is found, told and deleted on SQLite and PostgreSQL, and no backup brings it back."""

from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import OperatorError
from core.pseudonym import pseudonym
from storage import backup, forgotten
from storage.store import Store, StoreConfig
from storage.transfer import sqlite_url
from tests.storage.society import (
    ANN,
    BOB,
    EVE,
    GROUP,
    ask,
    author_of,
    everything,
    is_of,
    picture,
    settle,
    unused_images,
)
from tests.storage.test_backup import silent
from tests.storage.things import numbers

PEOPLE = (ANN, BOB, EVE)


async def opened(url: str) -> Store:
    return await Store.open(StoreConfig(url=url, ratings=True))


async def rows(store: Store) -> str:
    return await store.database.read(everything)


def holds(folder: Path, words: bytes) -> bool:
    """Return whether a file has them, in whatever page. An old database beside it does not count."""
    return any(words in file.read_bytes() for file in folder.glob("*") if not file.name.startswith("old"))


@pytest.mark.parametrize("person", PEOPLE)
async def test_nothing_is_left_of_somebody_and_everything_of_the_others(url: str, person: str) -> None:
    store = await opened(url)
    await settle(store)
    before = await rows(store)
    assert all(is_of(each, before) for each in PEOPLE)
    names = {pseudonym(person), pseudonym(f"slack:{person.rpartition(':')[2]}")}
    assert await store.forget_person(names, author_of)
    after = await rows(store)
    assert [is_of(each, after) for each in PEOPLE] == [each != person for each in PEOPLE]
    assert await store.database.read(unused_images) == []
    waiting = [message.key for message in await store.unfinished("slack")]
    assert waiting == ([] if person == BOB else ["waits beside Eve"])
    assert not await store.traces(names, author_of)
    await store.close()


async def test_what_there_is_of_somebody_is_counted(url: str) -> None:
    store = await opened(url)
    await settle(store)
    traces = await store.traces({pseudonym(ANN)}, author_of)
    assert traces.own == {"telegram:42:0", "telegram:42:7"}
    assert traces.shared == {GROUP}
    assert (traces.questions, traces.pictures, traces.rated) == (5, 5, 1)
    assert [message.key for message in traces.messages] == [f"waits {ANN}", f"new {ANN}", f"held {ANN}"]
    assert [(known.platform, known.id) for known in traces.standings] == [("telegram", "42")]
    everywhere = await store.traces({pseudonym(EVE), pseudonym("slack:U1")}, author_of)
    assert everywhere.own == {"slack:T1:D1:1.0", "slack:T1:C1:2.0"}
    assert [known.id for known in everywhere.standings] == ["U1"]
    assert await store.workspaces("slack") == {"T1"}
    assert not await store.traces({pseudonym("telegram:4")}, author_of)
    await store.close()


async def test_a_group_goes_on_without_somebody(url: str) -> None:
    store = await opened(url)
    await settle(store)
    await store.forget_person({pseudonym(ANN)}, author_of)
    group = await store.load(GROUP)
    assert [turn.text for turn in group.turns] == ["?", "Bob's about both", "Bob's only mine"]
    assert [numbers(turn) for turn in group.turns] == [[], [3], [3]]
    assert (group.waiting, group.next_number) == ((), 5)
    [summary] = [each for each in (await store.summaries()).summaries if each.id == GROUP]
    assert summary.title == "?"
    assert {message.key for message in await store.unfinished("telegram")} == {f"waits {BOB}", f"new {BOB}"}
    assert await store.known_files(GROUP) == set()
    assert await store.is_posted("telegram", f"sent for {GROUP} only mine")
    assert not await store.is_posted("telegram", f"sent for {GROUP} in the group")
    await store.close()


async def test_all_of_somebody_can_be_read_and_nothing_of_others(url: str) -> None:
    store = await opened(url)
    await settle(store)
    traces = await store.traces({pseudonym(ANN)}, author_of)
    first, second = await store.chapters("telegram:42:0")
    assert [turn.text for turn in (*first.turns, *second.turns)] == ["Ann's first", "Ann's second", "Ann's third"]
    assert first.turns[0].rating == 1
    [group] = await store.chapters(GROUP, traces.names)
    in_the_group, again, about_his = group.turns
    assert in_the_group.text == again.text == "Ann's in the group"  # it was answered twice
    assert (about_his.text, about_his.pictures) == ("Ann's about his", ())
    assert [shown.image.id for shown in group.pictures] == [picture(ANN, n).id for n in ("cat", "fish", "horse")]
    await store.close()


async def test_sqlites_file_has_no_trace_of_somebody_either(path: Path) -> None:
    store = await opened(sqlite_url(path))
    await settle(store)
    await store.forget_person({pseudonym(ANN)}, author_of)
    await store.close()
    assert not holds(path.parent, b"Ann's")
    assert holds(path.parent, b"Bob's")


async def test_a_backup_from_before_brings_nobody_back(url: str, tmp_path: Path, path: Path) -> None:
    store = await opened(sqlite_url(path.with_name("old.db")))
    await settle(store)
    large = replace(picture(ANN, "whale"), data=b"Ann's whale" * 200_000)  # too large for SQLite's memory
    await ask(store, ANN, "telegram:42:0", "fifth", large)
    await store.close()
    await backup.back_up(sqlite_url(path.with_name("old.db")), tmp_path / "b", {"made": "2020-01-01 00:00 UTC"}, silent)
    gone = tmp_path / "forgotten.txt"
    forgotten.add(gone, {pseudonym(ANN)})
    restored = await backup.restore(tmp_path / "b", url, silent, gone, author_of)
    assert restored.left_out and restored.left_out.questions == 6
    store = await opened(url)
    found = await rows(store)
    assert [is_of(each, found) for each in PEOPLE] == [False, True, True]
    await store.close()
    assert not holds(path.parent, b"Ann's")


async def test_whoever_came_back_before_a_backup_is_in_it(path: Path, tmp_path: Path) -> None:
    store = await opened(sqlite_url(path))
    await settle(store)
    await store.close()
    gone = tmp_path / "forgotten.txt"
    forgotten.add(gone, {pseudonym(ANN)})
    await backup.back_up(sqlite_url(path), tmp_path / "b", {"made": "2999-01-01 00:00 UTC"}, silent)
    new = sqlite_url(tmp_path / "new.db")
    assert (await backup.restore(tmp_path / "b", new, silent, gone, author_of)).left_out is None
    store = await opened(new)
    assert is_of(ANN, await rows(store))
    await store.close()


def test_the_list_of_the_forgotten_names_no_one_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    gone = tmp_path / "made" / "forgotten.txt"
    assert forgotten.since(gone, "") == frozenset()
    for person in (ANN, BOB):
        forgotten.add(gone, {pseudonym(person)})
    assert forgotten.since(gone, "") == {pseudonym(ANN), pseudonym(BOB)}
    assert forgotten.since(gone, "2999") == frozenset()
    assert "42" not in {word for line in gone.read_text().splitlines() for word in line.split()}
    assert gone.stat().st_mode & 0o777 == 0o600


def test_a_list_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    gone = tmp_path / "forgotten.txt"
    gone.write_text(f"{pseudonym(ANN)} 2026-01-01 00:00 UTC\nsomething\n", "utf-8")
    with pytest.raises(OperatorError, match="line 2 is no entry"):
        forgotten.since(gone, "")
    with pytest.raises(OperatorError, match="cannot be written"):
        forgotten.add(gone / "below", {pseudonym(ANN)})


async def test_on_postgresql_nobody_is_deleted_while_others_are_connected(
    url: str, request: pytest.FixtureRequest
) -> None:
    if not url.startswith("postgresql"):
        return
    store, service = await opened(url), await opened(url)
    await settle(store)
    with pytest.raises(OperatorError, match="Others are connected"):
        await store.forget_person({pseudonym(ANN)}, author_of)
    await service.close()
    assert await store.forget_person({pseudonym(ANN)}, author_of)
    await store.close()
