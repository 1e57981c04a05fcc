"""How much of the disk pictures may take: what was sent goes first, oldest before all, then new ones are refused."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from core.answer import Answer, Ending
from core.conversation import Picture, Question
from core.errors import NoRoom
from core.image import Image
from storage.store import Store, StoreConfig
from tests.storage.machine import Machine
from tests.storage.things import image

MB = 1_000_000


def photo(name: str, shown: int = 20_000, sent: int = MB) -> Image:
    return replace(image(name), data=Random(name).randbytes(shown), original=Random(name).randbytes(sent))


@pytest.fixture
async def small(path: Path, machine: Machine) -> AsyncIterator[Store]:
    """Five megabytes for all, three of them for one person."""
    config = StoreConfig(url=f"sqlite+aiosqlite:///{path}", size_limit_gb=0.005, person_limit_gb=0.003)
    store = await Store.open(config, machine.clock())
    yield store
    await store.close()


async def ask(store: Store, machine: Machine, person: str, conversation_id: str, *pictures: Image) -> None:
    """As the assistant does, an hour after the last one."""
    machine.passes(3600)
    await store.make_room(person, pictures)
    asked = (await store.load(conversation_id)).ask(Question("?", pictures))
    turn = replace(asked.turns[-1], answer=Answer("yes", Ending.DONE))
    await store.save(conversation_id, turn, f"k{machine.uptime}", None, person)


async def kept(store: Store, *pictures: Image) -> list[bool]:
    """Of which the picture as it was sent is still there."""
    return [(await store.picture(picture.id)).original is not None for picture in pictures]


async def test_what_one_person_sent_goes_first_the_oldest_before_all(small: Store, machine: Machine) -> None:
    photos = [photo(f"{number}") for number in range(5)]
    others = photo("other")
    await ask(small, machine, "bob", "b:1", others)
    for number, picture in enumerate(photos[:2]):
        await ask(small, machine, "ann", f"a:{number}", picture)
    await ask(small, machine, "ann", "a:0")  # the first one is spoken of again
    await ask(small, machine, "ann", "a:2", photos[2])
    assert await kept(small, *photos[:3]) == [True, False, True]
    await ask(small, machine, "ann", "a:3", photos[3])
    assert await kept(small, *photos[:4], others) == [False, False, True, True, True]
    for number in range(4):
        [turn, *_] = (await small.load(f"a:{number}")).turns
        assert turn.pictures[0].image.data == photos[number].data


async def test_together_they_keep_to_the_limit_too(small: Store, machine: Machine, path: Path) -> None:
    photos = [photo(f"{number}") for number in range(12)]
    for number, picture in enumerate(photos):
        await ask(small, machine, f"person {number}", f"a:{number}", picture)
    left = await kept(small, *photos)
    assert left == sorted(left)
    assert 2 <= sum(left) <= 4
    await small.database.tidy()
    assert os.stat(path).st_size < 5 * MB


async def test_a_picture_for_which_no_room_can_be_made_is_refused_and_text_is_not(
    small: Store, machine: Machine
) -> None:
    large = [photo(f"{number}", shown=1_400_000, sent=0) for number in range(5)]
    await ask(small, machine, "ann", "a:1", *large[:2])
    with pytest.raises(NoRoom, match="Your pictures"):
        await small.make_room("ann", [large[2]])
    await small.make_room("ann", [large[0]])  # which is here already
    await ask(small, machine, "ann", "a:1")
    await ask(small, machine, "bob", "b:1", large[3])
    with pytest.raises(NoRoom, match="no room for more pictures"):
        await small.make_room("bob", [large[4]])
    await small.forget("a:1")
    await ask(small, machine, "ann", "a:2", large[2])


async def test_a_question_without_a_picture_that_finds_no_room_is_not_told_of_pictures(
    path: Path, machine: Machine
) -> None:
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}", size_limit_gb=0.0001), machine.clock())
    with pytest.raises(NoRoom, match="no room for more questions"):
        await store.make_room("ann", [])
    await store.close()


async def test_what_a_waiting_question_is_about_is_left_to_it(small: Store, machine: Machine) -> None:
    first, second, third = [photo(f"{number}") for number in range(3)]
    await ask(small, machine, "ann", "a:1", first)
    await small.put("telegram", "k", "a:1", "a closer look, please")
    await ask(small, machine, "ann", "a:2", second)
    await ask(small, machine, "ann", "a:3", third)
    assert await kept(small, first, second, third) == [True, False, True]


async def test_one_picture_counts_for_everybody_who_brought_it_and_once_for_all(small: Store, machine: Machine) -> None:
    large = photo("same", shown=2_000_000, sent=500_000)
    await ask(small, machine, "ann", "a:1", large)
    for number in range(6):
        await ask(small, machine, f"person {number}", f"b:{number}", large)
    with pytest.raises(NoRoom, match="Your pictures"):
        await small.make_room("person 5", [photo("another", shown=1_500_000, sent=0)])


@pytest.mark.parametrize("setting", ["size_limit_gb", "person_limit_gb"])
async def test_zero_is_no_limit(path: Path, machine: Machine, setting: str) -> None:
    config = StoreConfig(
        url=f"sqlite+aiosqlite:///{path}", **{"size_limit_gb": 0.001, "person_limit_gb": 0.001} | {setting: 0.0}
    )
    store = await Store.open(config, machine.clock())
    with pytest.raises(NoRoom, match="Your pictures" if setting == "size_limit_gb" else "This server"):
        await store.make_room("ann", [photo("large", shown=2 * MB)])
    await store.close()


async def test_nobodys_name_is_in_the_database(small: Store, machine: Machine, path: Path) -> None:
    await ask(small, machine, "web:203.0.113.7", "a:1", photo("1"))
    assert b"203.0.113.7" not in b"".join(file.read_bytes() for file in path.parent.iterdir())


async def test_what_somebody_looked_at_closer_counts_as_theirs(small: Store, machine: Machine) -> None:
    first, small_print = photo("first"), photo("closer", shown=2 * MB)
    await ask(small, machine, "ann", "a:1", first)
    asked = (await small.load("a:1")).ask(Question("?", alone=True, small_print=(Picture(1, small_print),)))
    turn = replace(asked.turns[-1], answer=Answer("yes", Ending.DONE))
    await small.save("a:1", turn, "closer", None, "ann")
    assert await kept(small, first, small_print) == [True, False]
    await small.make_room("ann", [photo("large", shown=MB // 2, sent=1)])
    assert await kept(small, first) == [False]
    with pytest.raises(NoRoom):
        await small.make_room("ann", [photo("larger", shown=MB, sent=1)])
