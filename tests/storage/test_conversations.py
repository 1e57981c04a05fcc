import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from core.answer import Answer, Ending
from core.conversation import Conversation, Picture, Question, Turn
from core.pseudonym import pseudonym
from storage import turns
from storage.clock import DAY_SECONDS
from storage.conversations import TURNS_AT_ONCE
from storage.store import Store, StoreConfig
from tests.storage.machine import Machine
from tests.storage.things import answer_turn, ask, image, numbers, outlined

CAT, DOG, BIRD = image("cat"), image("dog"), image("bird")


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(path) as connection:
        found = connection.execute(query).fetchall()
    connection.close()
    return found


async def test_an_unknown_conversation_is_empty(store: Store) -> None:
    assert await store.load("web:1") == Conversation("web:1")
    assert await store.answered("k") is None
    assert await store.keys("web:1") == []


async def test_what_was_saved_is_loaded_also_after_a_restart(store: Store, path: Path) -> None:
    first = await ask(store, "web:1", "What is it?", CAT, DOG, key="k1", answer="一只猫和一条狗 🐕")
    second = await ask(store, "web:1", "And now?", BIRD, CAT, key="k2")
    again = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}"))
    conversation = await again.load("web:1")
    await again.close()
    assert conversation == Conversation("web:1", (first, second), (), 4)
    assert [numbers(turn) for turn in conversation.turns] == [[1, 2], [3, 1]]
    assert conversation.turns[0].answer == Answer("一只猫和一条狗 🐕", Ending.DONE, first.answer.figures)  # type: ignore[union-attr]


async def test_the_tiles_of_a_tall_picture_are_saved(store: Store) -> None:
    tall = replace(CAT, tiles=((0, 0, 64, 16), (0, 12, 64, 32)))
    await ask(store, "web:1", "What is it?", tall, DOG, key="k1")
    assert [picture.image for picture in (await store.load("web:1")).pictures] == [tall, DOG]
    assert (await store.outline("web:1")).pictures[0].image.tiles == tall.tiles


async def test_a_turn_is_saved_once_per_key(store: Store) -> None:
    turn = await ask(store, "web:1", "What is it?", CAT, key="k1")
    await ask(store, "web:1", "something else", DOG, key="k1", answer="no")
    assert (await store.load("web:1")).turns == (turn,)
    assert await store.answered("k1") == outlined(turn)


async def test_text_that_no_database_takes_is_saved_without_it(store: Store) -> None:
    await ask(store, "t:1", "half \ud83d a\0 face", key="k1", answer="\udc00!")
    [turn] = (await store.load("t:1")).turns
    assert (turn.text, turn.answer and turn.answer.text) == ("half ? a face", "?!")


async def test_an_open_turn_is_not_saved(store: Store) -> None:
    with pytest.raises(ValueError, match="open"):
        await store.save("web:1", Turn("What?"), "k1")


async def test_an_image_is_stored_once_whoever_sends_it(store: Store, path: Path) -> None:
    await ask(store, "web:1", "?", CAT, key="k1")
    await ask(store, "telegram:2", "?", CAT, DOG, key="k2")
    await store.add_pictures("slack:3", [DOG])
    assert rows(path, "SELECT count(*) FROM images") == [(2,)]


async def test_pictures_wait_for_their_question_in_order(store: Store) -> None:
    assert await store.add_pictures("t:1", (CAT, DOG, CAT)) == [1, 2, 1]
    waiting = (await store.load("t:1")).waiting
    assert [(picture.number, picture.image) for picture in waiting] == [(1, CAT), (2, DOG)]
    turn = await ask(store, "t:1", "Which is larger?", BIRD, key="k1")
    assert numbers(turn) == [1, 2, 3]
    conversation = await store.load("t:1")
    assert (conversation.waiting, conversation.turns) == ((), (turn,))


async def test_a_picture_sent_again_is_part_of_the_next_question_under_its_old_number(store: Store) -> None:
    await ask(store, "t:1", "What is it?", CAT, key="k1")
    await ask(store, "t:1", "And this?", DOG, key="k2")
    assert await store.add_pictures("t:1", [CAT]) == [1]
    turn = await ask(store, "t:1", "And again?", key="k3")
    assert numbers(turn) == [1]
    conversation = await store.load("t:1")
    assert (conversation.waiting, conversation.next_number) == ((), 3)


async def test_a_picture_that_comes_while_an_answer_is_written_yields_its_number(store: Store) -> None:
    asked = (await store.load("t:1")).ask(Question("What is it?", (CAT,)))
    assert await store.add_pictures("t:1", [DOG]) == [1]
    turn = await answer_turn(store, asked, "k1")
    conversation = await store.load("t:1")
    assert conversation.turns == (turn,)
    assert [(picture.number, picture.image) for picture in conversation.waiting] == [(2, DOG)]
    assert conversation.next_number == 3


async def test_the_picture_in_question_sent_again_meanwhile_does_not_wait_twice(store: Store) -> None:
    asked = (await store.load("t:1")).ask(Question("What are they?", (CAT, DOG)))
    assert await store.add_pictures("t:1", [DOG]) == [1]
    turn = await answer_turn(store, asked, "k1")
    conversation = await store.load("t:1")
    assert (conversation.turns, conversation.waiting) == ((turn,), ())


SHARP = image("cat, less shrunk")


async def read_small_print(store: Store, key: str, conversation_id: str = "t:1") -> Turn:
    """At picture 1, as it is kept with much more detail."""
    asked = (await store.load(conversation_id)).ask(Question("Read it", alone=True, small_print=(Picture(1, SHARP),)))
    return await answer_turn(store, asked, key)


async def test_a_closer_look_keeps_the_number_and_what_was_seen_then(store: Store, path: Path) -> None:
    first = await ask(store, "t:1", "Read it", CAT, DOG, key="k1")
    small_print = await read_small_print(store, "k2")
    assert numbers(small_print) == [1]
    conversation = await store.load("t:1")
    assert conversation.turns == (first, small_print)
    assert conversation.pictures == (Picture(1, CAT), Picture(2, DOG))
    assert conversation.next_number == 3
    assert await store.answered("k2") == outlined(small_print)
    assert (await store.numbered_picture("t:1", 1)) == CAT
    later = await ask(store, "t:1", "And this?", SHARP, CAT, BIRD, key="k3")
    assert [(picture.number, picture.image) for picture in later.pictures] == [(1, SHARP), (3, BIRD)]
    await read_small_print(store, "k4")
    again = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}"))
    assert await store.load("t:1") == await again.load("t:1")
    await again.close()


async def test_what_was_seen_closer_goes_with_its_picture(store: Store, path: Path) -> None:
    for conversation_id in ("t:1", "t:2", "t:3"):
        await ask(store, conversation_id, "Read it", CAT, key=f"k1 {conversation_id}")
        await read_small_print(store, f"k2 {conversation_id}", conversation_id)
    kept = "SELECT count(*) FROM images"
    await store.remove_picture("t:1", 1)
    assert [turn.pictures for turn in (await store.load("t:1")).turns] == [(), ()]
    assert rows(path, kept) == [(2,)]
    await store.remember_file("telegram:f", "t:2", [CAT.id])
    await store.remove_file("telegram:f")
    assert [turn.pictures for turn in (await store.load("t:2")).turns] == [(), ()]
    assert rows(path, kept) == [(2,)]
    await store.forget("t:3")
    assert rows(path, kept) == [(0,)]


async def test_a_picture_removed_during_a_closer_look_stays_removed(store: Store, path: Path) -> None:
    await ask(store, "t:1", "Read it", CAT, key="k1")
    asked = (await store.load("t:1")).ask(Question("Read it", alone=True, small_print=(Picture(1, SHARP),)))
    await store.remove_picture("t:1", 1)
    await answer_turn(store, asked, "k2")
    assert [turn.pictures for turn in (await store.load("t:1")).turns] == [(), ()]
    assert rows(path, "SELECT count(*) FROM images") == [(0,)]


async def test_a_removed_picture_is_gone_and_its_number_is_not_given_again(store: Store, path: Path) -> None:
    await ask(store, "t:1", "What are they?", CAT, DOG, key="k1")
    assert await store.remove_picture("t:1", 1)
    assert not await store.remove_picture("t:1", 1)
    assert not await store.remove_picture("t:1", 9)
    assert not await store.remove_picture("t:2", 1)
    conversation = await store.load("t:1")
    assert numbers(conversation.turns[0]) == [2]
    assert rows(path, "SELECT id FROM images") == [(DOG.id,)]
    assert await store.add_pictures("t:1", [CAT]) == [3]


async def test_a_removed_picture_stays_with_others_who_sent_it(store: Store) -> None:
    await ask(store, "t:1", "?", CAT, key="k1")
    await ask(store, "t:2", "?", CAT, key="k2")
    await store.remove_picture("t:1", 1)
    assert numbers((await store.load("t:2")).turns[0]) == [1]


async def test_a_waiting_picture_can_be_removed(store: Store) -> None:
    await store.add_pictures("t:1", [CAT])
    assert await store.remove_picture("t:1", 1)
    assert (await store.load("t:1")).waiting == ()


async def test_a_picture_removed_while_its_answer_is_written_stays_removed(store: Store) -> None:
    await store.add_pictures("t:1", [CAT])
    asked = (await store.load("t:1")).ask(Question("What is it?"))
    await store.remove_picture("t:1", 1)
    await answer_turn(store, asked, "k1")
    assert (await store.load("t:1")).pictures == ()


async def test_the_sent_file_comes_with_the_picture_but_not_with_every_question(store: Store) -> None:
    large = replace(CAT, original=b"as it was sent")
    await ask(store, "t:1", "?", CAT, key="k1")
    assert (await store.picture(CAT.id)).original is None
    await ask(store, "t:1", "?", large, key="k2")
    assert await store.picture(CAT.id) == large
    assert await store.original(CAT.id) == large.original
    assert (await store.load("t:1")).pictures[0].image == CAT


async def test_a_retried_turn_takes_the_place_of_the_old_one(store: Store) -> None:
    await ask(store, "t:1", "first", CAT, key="k1")
    old = await ask(store, "t:1", "second", key="k2")
    last = await ask(store, "t:1", "third", key="k3")
    new = replace(old, answer=Answer("better", Ending.DONE))
    await store.save("t:1", new, "k4", replaces="k2")
    assert (await store.load("t:1")).turns[1:] == (new, last)
    assert await store.answered("k2") == outlined(old)
    assert (await store.keys("t:1"))[-1] == "k3"


async def test_a_conversation_begun_anew_is_empty_and_counts_from_one(store: Store, path: Path) -> None:
    await ask(store, "t:1", "old", CAT, DOG, key="k1")
    await store.add_pictures("t:1", [BIRD])
    await store.restart("t:1")
    assert await store.load("t:1") == Conversation("t:1")
    assert await store.keys("t:1") == []
    new = await ask(store, "t:1", "new", DOG, key="k2")
    assert numbers(new) == [1]
    assert (await store.load("t:1")).turns == (new,)
    assert rows(path, "SELECT count(*) FROM turns") == [(2,)]
    await store.restart("t:2")
    assert rows(path, "SELECT id FROM conversations") == [("t:1",)]


async def test_forgetting_removes_the_conversation_and_what_nobody_else_uses(store: Store, path: Path) -> None:
    await ask(store, "t:1", "a secret question", CAT, DOG, key="k1")
    await store.restart("t:1")
    await store.add_pictures("t:1", [BIRD])
    kept = await ask(store, "t:2", "?", DOG, key="k2")
    message = await store.put("t", "m1", "t:1", "a secret payload")
    await store.forget("t:1")
    assert await store.load("t:1") == Conversation("t:1")
    assert (await store.load("t:2")).turns == (kept,)
    assert rows(path, "SELECT id FROM images") == [(DOG.id,)]
    assert await store.unfinished("t") == []
    assert message is not None
    assert await store.put("t", "m1", "t:1", "again") is None


async def test_nothing_of_a_forgotten_conversation_stays_in_the_files(store: Store, path: Path) -> None:
    secret = image("a secret picture " * 1000)
    await ask(store, "t:1", "a secret question", secret, key="k1")
    await store.put("t", "m1", "t:1", "a secret payload")
    await store.forget("t:1")
    assert b"secret" not in b"".join(file.read_bytes() for file in path.parent.iterdir())


async def test_whoever_computed_something_is_told_what_is_gone(store: Store, machine: Machine) -> None:
    told: list[tuple[object, list[str]]] = []

    class Told:
        def forget(self, conversation_id: str | None, image_ids: Collection[str]) -> None:
            told.append((conversation_id, sorted(image_ids)))

        def keep_only(self, conversation_ids: Collection[str], image_ids: Collection[str]) -> None:
            told.append((sorted(conversation_ids), sorted(image_ids)))

    store.computed = Told()
    await ask(store, "t:1", "?", CAT, DOG, key="k1")
    await ask(store, "t:2", "?", DOG, BIRD, key="k2")
    await store.remember_file("slack:F1", "t:2", [BIRD.id])
    assert await store.remove_picture("t:2", 1)  # the dog, which the other still shows
    assert not await store.remove_picture("t:2", 9)
    kept = await ask(store, "t:4", "?", BIRD, key="k4")  # from elsewhere
    assert await store.remove_file("slack:F1")
    assert not await store.remove_file("slack:F1")
    assert not (await store.load("t:2")).pictures
    assert (await store.load("t:4")).turns == (kept,)
    await store.forget("t:4")
    assert await store.move("t:2", "t:3")
    assert await store.expiry.expire() == 0
    await store.forget("t:1")
    machine.passes(31 * DAY_SECONDS)
    assert await store.expiry.expire() == 1
    assert told == [
        (None, []),
        (None, []),
        ("t:4", [BIRD.id]),
        ("t:2", []),
        (["t:1", "t:3"], sorted([CAT.id, DOG.id])),
        ("t:1", sorted([CAT.id, DOG.id])),
        ("t:3", []),
        ([], []),
    ]


async def test_conversations_are_listed_newest_first_by_place(store: Store) -> None:
    await ask(store, "web:a:1", "What  is\nthis? " + "long " * 40, CAT, key="k1")
    await ask(store, "web:a:2", "Which one?", key="k2")
    await ask(store, "web:b:3", "Other", key="k3")
    await ask(store, "web:a:1", "Follow-up", key="k4")
    await store.add_pictures("web:aX", [CAT])
    found = (await store.summaries("web:a")).summaries
    assert [summary.id for summary in found] == ["web:a:1", "web:a:2"]
    assert found[0].title.startswith("What is this? long long")
    assert len(found[0].title) == 80
    assert abs(found[0].updated.timestamp() - time.time()) < 60
    assert [summary.id for summary in (await store.summaries("web:a", limit=1)).summaries] == ["web:a:1"]
    assert (await store.summaries("web_a%")).summaries == ()


async def test_conversations_expire(store: Store, path: Path, machine: Machine) -> None:
    await ask(store, "t:1", "?", CAT, key="k1")
    message = await store.put("t", "m1", "t:1", "payload")
    assert message is not None
    await store.finish([message.id])
    machine.passes(29 * DAY_SECONDS)
    assert await store.expiry.expire() == 0
    assert await store.put("t", "m1", "t:1", "again") is None
    machine.passes(2 * DAY_SECONDS)
    assert await store.expiry.expire() == 1
    assert [rows(path, f"SELECT count(*) FROM {table}") for table in ("conversations", "images", "messages")] == [
        [(0,)]
    ] * 3


async def test_somebody_who_comes_back_while_others_are_forgotten_keeps_everything(
    path: Path, machine: Machine
) -> None:
    class Returned(Store):
        def forget_computed(self, image_ids: Collection[str], conversation_id: str | None = None) -> None:
            """The first of them is gone; somebody asks in the other, and sends a picture there."""
            back.update({"t:1", "t:2"} - {conversation_id})
            with sqlite3.connect(path) as other:
                other.execute("UPDATE conversations SET updated = ?", (machine.wall_time,))
            other.close()

    back: set[str] = set()
    store = await Returned.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}"), machine.clock())
    for conversation_id in ("t:1", "t:2"):
        await ask(store, conversation_id, "?", CAT, key=conversation_id)
    machine.passes(31 * DAY_SECONDS)
    assert await store.expiry.expire() == 1
    assert {summary.id for summary in (await store.summaries()).summaries} == back
    await store.close()


async def test_with_zero_days_nothing_expires(path: Path, machine: Machine) -> None:
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}", expire_days=0), machine.clock())
    await ask(store, "t:1", "?", CAT, key="k1")
    machine.passes(10_000 * DAY_SECONDS)
    assert await store.expiry.expire() == 0
    assert (await store.load("t:1")).turns
    await store.close()


async def test_thumbs_are_kept_and_can_be_taken_back(store: Store) -> None:
    turn = await ask(store, "t:1", "?", CAT, key="k1")
    other = await ask(store, "t:1", "??", key="k2")
    assert await store.rate("k1", 1)
    assert await store.rate("k2", -1)
    assert not await store.rate("k9", 1)
    assert await store.rated() == [replace(turn, rating=1), replace(other, rating=-1)]
    await store.rate("k1", 0)
    assert await store.rated() == [replace(other, rating=-1)]


async def test_a_conversation_moves_with_everything_where_nothing_was_said_before(store: Store) -> None:
    await ask(store, "t:1", "first", image("cat"), key="k1")
    await store.add_pictures("t:1", [image("dog")])
    before = await store.load("t:1")
    assert await store.move("t:1", "t:2")
    assert await store.load("t:2") == replace(before, id="t:2")
    assert await store.load("t:1") == Conversation("t:1")
    await ask(store, "t:1", "another", key="k2")
    assert not await store.move("t:1", "t:2")
    assert not await store.move("t:3", "t:4")


async def test_pictures_can_have_the_numbers_in_which_they_stand_elsewhere(store: Store) -> None:
    assert await store.add_pictures("slack:1", [DOG, CAT], first=4) == [4, 5]
    assert await store.add_pictures("slack:1", [BIRD], first=2) == [2]
    assert await store.add_pictures("slack:1", [image("cow")], first=5) == [6]  # that number was given before
    assert [picture.number for picture in (await store.load("slack:1")).pictures] == [2, 4, 5, 6]


async def test_the_conversation_with_pictures_that_changed_last_is_found(store: Store) -> None:
    assert await store.last_pictured("slack:D1") is None
    await store.add_pictures("slack:D1:1", [DOG])
    await store.add_pictures("slack:D1:2", [CAT])
    await ask(store, "slack:D1:3", "without one", key="k3")
    await store.add_pictures("slack:D2:4", [BIRD])
    assert await store.last_pictured("slack:D1") == "slack:D1:2"
    await store.restart("slack:D1:2")
    assert await store.last_pictured("slack:D1") == "slack:D1:1"
    await store.remove_picture("slack:D1:1", 1)
    assert await store.last_pictured("slack:D1") is None


async def test_who_left_a_picture_that_waits_is_remembered_by_a_pseudonym(store: Store) -> None:
    await store.add_pictures("t:1", [CAT], "telegram:7")
    await store.add_pictures("t:1", [DOG])
    [cat, dog] = (await store.load("t:1")).waiting
    assert (cat.person, dog.person) == (pseudonym("telegram:7"), None)


async def test_a_long_conversation_is_read_a_few_turns_at_a_time(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """15,000 turns at once would keep the event loop, and so everybody else's chats, waiting."""
    first = await ask(store, "web:1", "turn 0", CAT, DOG, key="k0")
    with sqlite3.connect(path) as connection:
        connection.executemany(
            "INSERT INTO turns (conversation_id, chapter, position, key, replaced, text, answer, ending, figures, "
            "created) SELECT conversation_id, chapter, position + ?1, 'k' || ?1, replaced, 'turn ' || ?1, answer, "
            "ending, figures, created FROM turns WHERE key = 'k0'",
            [(number,) for number in range(1, 4 * TURNS_AT_ONCE)],
        )
    connection.close()
    last = await ask(store, "web:1", "the last", CAT, key="last")
    await store.save("web:1", replace(last, text="better"), "again", replaces="last")

    passes, made = 0, Counter[int]()

    async def tick() -> None:
        nonlocal passes
        while True:
            passes += 1
            await asyncio.sleep(0)

    def counted(row: object, shown: Sequence[tuple[int, Picture | None]]) -> Turn:
        made[passes] += 1
        return make(row, shown)

    make = turns._as_turn
    monkeypatch.setattr(turns, "_as_turn", counted)
    ticking = asyncio.create_task(tick())
    try:
        conversation = await store.load("web:1")
    finally:
        ticking.cancel()
    assert [turn.text for turn in conversation.turns] == [*(f"turn {n}" for n in range(4 * TURNS_AT_ONCE)), "better"]
    assert conversation.turns[0] == first
    assert conversation.turns[-1].pictures == (first.pictures[0],)
    assert conversation.turns[-1].pictures[0].image is conversation.turns[0].pictures[0].image  # read once
    assert max(made.values()) <= TURNS_AT_ONCE  # in one pass of the event loop
    assert (await store.keys("web:1"))[-1] == "again"
    assert (await store.keys("web:1"))[-2:] == [f"k{4 * TURNS_AT_ONCE - 1}", "again"]
