"""Answers to edited messages are superseded, whole or not at all."""

from dataclasses import replace

import pytest

from core.answer import Answer, Ending
from core.conversation import Picture, Turn
from core.errors import NotFound
from core.revision import Revision, Shown
from core.stored_message import StoredMessage, TornAlbum
from core.wish import Wish
from storage.store import Store
from tests.fakes import image

SENT, FIRST, SECOND = (Revision.of(number, words) for number, words in enumerate(("first", "second", "third")))


async def reopen(
    store: Store, key: str, payload: str, revision: Revision, words: str | None = None
) -> StoredMessage | None:
    """Return the message, if its new words make it unfinished."""
    return (await store.revise(key, payload, revision, words))[1]


async def answered(store: Store, key: str = "k", words: str = "One") -> StoredMessage:
    message = await store.put("chat", key, "c", "payload", None, str(Revision.of(0, words)))
    assert message is not None
    turn = Turn(words, (Picture(1, image()),), Answer("It is red.", Ending.DONE))
    await store.save("c", turn, key)
    await store.record_posted(message.id, ["m1", "m2"])
    await store.finish([message.id])
    return message


async def test_a_reopened_message_keeps_what_was_posted_and_gives_its_place_and_pictures_to_the_new_answer(
    store: Store,
) -> None:
    await answered(store)
    await store.save("c", Turn("Later", (), Answer("Yes.", Ending.DONE)), "later")
    reopened = await reopen(store, "k", "new", FIRST)
    assert reopened is not None and (reopened.posted_ids, reopened.payload) == (("m1", "m2"), "new")
    assert [each.key for each in await store.unfinished("chat")] == ["k"]
    left = await store.outline("c")
    assert [turn.text for turn in left.turns] == ["Later"]
    assert [picture.number for picture in left.waiting] == [1]
    turn = Turn("Two", left.waiting, Answer("It is blue.", Ending.DONE))
    await store.save("c", turn, "k", FIRST.key_of_replaced("k"))
    assert [turn.text for turn in (await store.outline("c")).turns] == ["Two", "Later"]


@pytest.mark.parametrize("revision", [FIRST, Revision.of(1, "another of that second"), SECOND])
async def test_only_newer_words_reopen_a_message(store: Store, revision: Revision) -> None:
    await answered(store)
    assert await reopen(store, "k", "new", Revision.of(0, "One")) is None
    reopened = await reopen(store, "k", "new", FIRST)
    assert reopened is not None
    await store.finish([reopened.id])
    assert (await reopen(store, "k", "newer", revision) is None) == (revision == FIRST)


async def test_words_that_were_answered_and_a_forgotten_or_unknown_message_are_not_reopened(store: Store) -> None:
    await answered(store)
    assert await reopen(store, "k", "new", FIRST, "One") is None
    assert [turn.text for turn in (await store.outline("c")).turns] == ["One"]
    await store.forget("c")
    assert await reopen(store, "k", "new", SECOND) is None
    assert await store.revise("k", "new", SECOND) == (True, None)
    assert await store.revise("unknown", "new", SECOND) == (False, None)


@pytest.mark.parametrize("is_answered", [True, False])
async def test_an_edited_piece_of_an_album_takes_over_what_was_posted_for_the_others_in_its_turn(
    store: Store, is_answered: bool
) -> None:
    album = [await store.put("chat", key, "c", key, "album", f"0:{key}") for key in ("k1", "k2")]
    assert album[0] is not None and album[1] is not None
    if is_answered:
        await store.save("c", Turn("One", (Picture(1, image()),), Answer("Yes.", Ending.DONE)), "k1")
    await store.record_posted(album[0].id, ["m1"])
    await store.finish([message.id for message in album if message is not None])
    edited = await reopen(store, "k2", "new", FIRST)
    assert edited is not None and (edited.key, edited.payload, edited.posted_ids) == ("k2", "new", ())
    torn = TornAlbum("One", ("m1",), FIRST.key_of_replaced("k1")) if is_answered else TornAlbum("", ("m1",))
    assert await store.rejoin(edited, FIRST, Shown()) == torn
    [taken] = await store.unfinished("chat")
    assert (taken.key, taken.posted_ids) == ("k2", ("m1",))
    first = await reopen(store, "k1", "newer", SECOND)
    assert first is not None and not first.posted_ids
    await store.rejoin(taken, SECOND, Shown())
    assert [message.posted_ids for message in await store.unfinished("chat")] == [(), ("m1",)], "no id twice"


async def test_a_later_piece_of_an_album_takes_over_the_answer_to_the_others(store: Store) -> None:
    first, later = [await store.put("chat", key, "c", key, "album", f"0:{key}") for key in ("k1", "k2")]
    assert first is not None and later is not None
    await store.finish([first.id])
    both = Shown(("chat:1:", "chat:2:"), ("chat:1:a", "chat:2:b"))
    assert await store.rejoin(later, SENT, both) is None, "nothing was said to the others"
    await store.record_posted(first.id, ["m1"])
    assert await store.rejoin(later, SENT, both) == TornAlbum(), "they only wait for a question"
    await store.save("c", Turn("One", (Picture(1, image()),), Answer("Yes.", Ending.DONE)), "k1")
    torn = await store.rejoin(later, SENT, both)
    assert torn == TornAlbum("One", ("m1",), SENT.key_of_replaced("k1"))
    left = await store.outline("c")
    assert (left.turns, [picture.number for picture in left.waiting]) == ((), [1])
    [taken] = await store.unfinished("chat")
    assert (taken.key, taken.posted_ids) == ("k2", ("m1",))
    assert await store.rejoin(taken, SENT, both) == torn, "as after a crash"
    await store.forget("c")
    assert await store.put("chat", "k3", "c", "k3", "album", "0:k3")
    assert await store.rejoin(replace(later, id=0, key="k3"), SENT, both) is None


async def test_a_piece_of_an_album_that_was_answered_alone_is_answered_with_what_came_before_it_was_finished(
    store: Store,
) -> None:
    first = await store.put("chat", "k1", "c", "k1", "album", "0:k1")
    assert first is not None
    await store.record_posted(first.id, ["m1"])
    await store.save("c", Turn("One", (Picture(1, image()),), Answer("Yes.", Ending.DONE)), "k1")
    await store.remember_file("chat:1:a", "c", [image().id])
    assert await store.rejoin(first, SENT, Shown(("chat:1:",), ("chat:1:a",))) is None
    both = Shown(("chat:1:", "chat:2:"), ("chat:1:a", "chat:2:b"))
    for _ in range(2):  # as after a crash
        assert await store.rejoin(first, SENT, both) == TornAlbum("", ("m1",), SENT.key_of_replaced("k1"))
    assert await store.answered("k1") is None


async def test_an_answer_is_taken_back_unless_it_answers_these_words(store: Store) -> None:
    message = await answered(store)
    await store.supersede_answer(message, FIRST, "One")
    assert await store.answered("k") is not None
    await store.supersede_answer(message, FIRST, "Two")
    assert await store.answered("k") is None
    assert await store.answered(FIRST.key_of_replaced("k")) is not None
    await store.supersede_answer(message, FIRST, "Two")  # repeated, as after a crash


async def test_an_answer_about_a_replaced_picture_is_taken_back_even_if_the_words_are_the_same(store: Store) -> None:
    message = await answered(store)
    await store.remember_file("chat:7:old", "c", [image().id])
    await store.supersede_answer(message, FIRST, "One", Shown(("chat:7:",), ("chat:7:old",)))
    assert await store.answered("k") is not None
    assert await store.supersede_answer(message, FIRST, "One", Shown(("chat:7:",), ("chat:7:new",)))
    assert await store.answered("k") is None
    left = await store.outline("c")
    assert (left.turns, left.pictures, left.next_number) == ((), (), 2)
    assert not await store.known_files("c")
    with pytest.raises(NotFound):
        await store.picture(image().id)


@pytest.mark.parametrize("shown_by", ["another message", "another answer"])
async def test_a_replaced_picture_that_something_else_shows_stays(store: Store, shown_by: str) -> None:
    message = await answered(store)
    await store.remember_file("chat:7:old", "c", [image().id])
    if shown_by == "another message":
        await store.remember_file("chat:8:same", "c", [image().id])
    else:
        await store.save("c", Turn("Later", (Picture(1, image()),), Answer("Yes.", Ending.DONE)), "later")
    await store.supersede_answer(message, FIRST, "Two", Shown(("chat:7:",), ()))
    left = await store.outline("c")
    assert [picture.number for picture in left.pictures] == [1]
    assert bool(left.waiting) == (shown_by == "another message")


async def test_words_that_came_while_the_old_ones_were_answered_keep_the_message_unfinished(store: Store) -> None:
    old = str(Revision.of(0, "One"))
    message = await store.put("chat", "k", "c", "old", None, old)
    assert message is not None
    assert await store.wish("k", Wish.STOP)
    assert await store.revise("k", "new", FIRST) == (True, None)
    assert await store.revise("k", "older", Revision.of(0, "One")) == (True, None)
    await store.finish([message.id], {old})
    [unfinished] = await store.unfinished("chat")
    assert (unfinished.payload, unfinished.digest) == ("new", str(FIRST))
    assert [each.wish for each in await store.open_messages("a replica")] == [None]  # it was for the old words
    await store.finish([message.id], {old, str(FIRST)})
    assert not await store.unfinished("chat")
    assert await store.revise("k", "newer", SECOND, reopens=False) == (True, None)
    assert not await store.unfinished("chat") and not await store.wish("k", Wish.STOP)
