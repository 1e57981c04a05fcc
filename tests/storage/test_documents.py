"""A conversation's document is kept for its other pages, and goes where it has to go."""

import hashlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import NoRoom
from core.pictures.kept_document import DocumentOutline, KeptDocument
from storage.schema import document_pages
from storage.store import Store, StoreConfig
from tests.storage.machine import Machine
from tests.storage.test_allowance import photo
from tests.storage.things import ask, image

HERE, PAGES = "a:1", [image("page 1"), image("page 2")]
PAPER = KeptDocument(b"%PDF secret", tuple(page.id for page in PAGES), (1, 2), 9, "a digest")
MB = 1_000_000


@pytest.fixture
async def kept(store: Store) -> Store:
    await ask(store, HERE, "What is it?", *PAGES, key="k1")
    await store.keep_document(HERE, "ann", PAPER)
    return store


def large(name: str, megabytes: float) -> KeptDocument:
    data = hashlib.shake_256(name.encode()).digest(int(megabytes * MB))
    return KeptDocument(data, ())


async def test_the_last_document_is_found_with_all_pages_that_were_seen(kept: Store) -> None:
    await kept.add_document_pages(HERE, PAPER.digest, {7: "page 7", 1: PAGES[0].id})
    assert await kept.document(HERE) == replace(PAPER, image_ids=(*PAPER.image_ids, "page 7"), pages=(1, 2, 7))
    outline = DocumentOutline(PAPER.digest, PAPER.page_count, {1: PAGES[0].id, 2: PAGES[1].id, 7: "page 7"})
    assert await kept.document_outline(HERE) == outline
    await kept.keep_document(HERE, "ann", KeptDocument(b"another", ()))
    assert await kept.document(HERE) == KeptDocument(b"another", ())


async def test_pages_of_a_document_whose_place_another_took_are_not_noted(kept: Store) -> None:
    await kept.add_document_pages(HERE, "another digest", {7: "page 7"})
    assert await kept.document(HERE) == PAPER


async def _as_a_version_before(connection: AsyncConnection) -> None:
    await connection.execute(delete(document_pages))


async def test_of_a_document_that_a_version_before_kept_pages_are_still_found(kept: Store) -> None:
    old = KeptDocument(PAPER.data, PAPER.image_ids)
    await kept.keep_document(HERE, "ann", old)
    await kept.database.write(_as_a_version_before)
    assert await kept.document(HERE) == old
    await kept.add_document_pages(HERE, "", {7: "page 7"})
    found = await kept.document(HERE)
    assert found is not None and found.image_ids == (*PAPER.image_ids, "page 7")
    assert await kept.document_outline(HERE) is None  # its pages are not known


async def test_what_is_known_of_a_large_document_is_written_without_its_data(store: Store, path: Path) -> None:
    await store.keep_document(HERE, "ann", replace(PAPER, data=bytes(8 * MB)), begins=True)
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    await store.add_document_pages(HERE, PAPER.digest, {7: "page 7"})
    assert path.with_name(path.name + "-wal").stat().st_size < MB


async def test_a_conversation_begins_with_a_document_only_where_it_is_told_to(store: Store) -> None:
    await store.keep_document(HERE, "ann", PAPER)
    assert await store.document(HERE) is None
    await store.keep_document(HERE, "ann", PAPER, begins=True)
    assert await store.document(HERE) == PAPER


async def test_it_is_gone_from_the_disk_when_its_conversation_is_forgotten(kept: Store, path: Path) -> None:
    assert PAPER.data in b"".join(file.read_bytes() for file in path.parent.iterdir())
    await kept.forget(HERE)
    assert await kept.document(HERE) is None
    assert PAPER.data not in b"".join(file.read_bytes() for file in path.parent.iterdir())


async def test_it_expires_with_its_conversation(kept: Store, machine: Machine) -> None:
    machine.passes(31 * 24 * 3600)
    await kept.expiry.expire_now()
    assert await kept.document(HERE) is None


async def test_a_new_conversation_in_the_same_chat_has_none(kept: Store) -> None:
    await kept.restart(HERE)
    assert await kept.document(HERE) is None


async def test_it_moves_with_its_conversation(kept: Store) -> None:
    await kept.move(HERE, "a:2")
    assert await kept.document("a:2") == PAPER


async def test_a_page_that_is_removed_for_good_takes_it_along(kept: Store) -> None:
    await kept.withdraw_picture(HERE, 1)  # not for the next question
    assert await kept.document(HERE) == PAPER
    await kept.remove_picture(HERE, 2)
    assert await kept.document(HERE) is None


async def test_it_stays_when_a_page_only_makes_way(kept: Store) -> None:
    await kept.remove_picture(HERE, 1, keeps_document=True)
    assert await kept.document(HERE) == PAPER


async def test_a_file_that_is_taken_off_with_all_its_pages_is_not_kept(store: Store) -> None:
    await store.add_pictures(HERE, PAGES, "ann")
    await store.keep_document(HERE, "ann", PAPER)
    for number in range(1, len(PAGES) + 1):
        assert await store.document(HERE) == PAPER
        assert await store.discard_picture(HERE, number)
    assert await store.document(HERE) is None


async def test_a_file_deleted_on_its_platform_takes_all_its_pages_along(kept: Store) -> None:
    await kept.remember_file("slack:F1", HERE, [page.id for page in PAGES])
    later = image("page 7")
    await ask(kept, HERE, "And page 7?", later, key="k2")
    await kept.add_document_pages(HERE, PAPER.digest, {7: later.id})
    await kept.remove_file("slack:F1")
    assert await kept.document(HERE) is None
    assert not (await kept.load(HERE)).pictures


@pytest.fixture
async def small(path: Path, machine: Machine) -> AsyncIterator[Store]:
    """Five megabytes for all, three of them for one person."""
    config = StoreConfig(url=f"sqlite+aiosqlite:///{path}", size_limit_gb=0.005, person_limit_gb=0.003)
    store = await Store.open(config, machine.clock())
    yield store
    await store.close()


async def test_it_counts_as_its_persons_and_goes_where_a_picture_needs_room(small: Store, machine: Machine) -> None:
    for number in (1, 2):
        machine.passes(3600)
        await small.keep_document(f"a:{number}", "ann", large(f"{number}", 1.2), begins=True)
    await small.keep_document("a:3", "ann", large("3", 1.2), begins=True)
    assert await small.document("a:3") is None  # nothing else goes for it
    await small.make_room("bob", [photo("bob's", sent=1)])
    assert await small.document("a:1") is not None
    await small.make_room("ann", [photo("first", shown=MB, sent=1)])
    assert [await small.document(f"a:{number}") is not None for number in (1, 2)] == [False, True]
    with pytest.raises(NoRoom, match="Your pictures"):
        await small.make_room("ann", [photo("second", shown=4 * MB, sent=1)])


async def test_one_without_room_takes_the_place_of_the_one_before_all_the_same(small: Store) -> None:
    await small.keep_document("a:1", "ann", large("1", 1.2), begins=True)
    await small.keep_document("a:1", "ann", large("2", 2.9))
    assert await small.document("a:1") is None  # a later "page 7" must not be of the first


async def test_all_together_keep_to_the_limit(small: Store) -> None:
    for number in range(8):
        await small.keep_document(f"a:{number}", f"person {number}", large(f"{number}", 1), begins=True)
    found = [await small.document(f"a:{number}") is not None for number in range(8)]
    assert 3 <= sum(found) <= 4
