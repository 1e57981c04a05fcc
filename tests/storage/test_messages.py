from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import Busy
from core.stored_message import StoredMessage
from core.wish import Wish
from storage.clock import DAY_SECONDS
from storage.store import Store, StoreConfig
from tests.storage.machine import Machine
from tests.storage.things import ask, image, outlined


async def put(store: Store, key: str, conversation_id: str = "t:1", group: str | None = None) -> StoredMessage:
    message = await store.put("telegram", key, conversation_id, f"payload of {key}", group)
    assert message is not None
    return message


async def test_a_message_is_written_down_once_also_after_a_restart(store: Store, path: Path) -> None:
    message = await put(store, "u1", group="album")
    assert message == StoredMessage(message.id, "telegram", "u1", "t:1", "payload of u1", "album")
    assert await store.put("telegram", "u1", "t:1", "again") is None
    again = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}"))
    assert await again.put("telegram", "u1", "t:1", "again") is None
    assert await again.unfinished("telegram") == [message]
    await again.close()


async def test_a_message_is_rewritten_until_it_is_finished(store: Store) -> None:
    first, second = [await put(store, key) for key in ("u1", "u2")]
    await store.finish([second.id])
    for message in (first, second):
        await store.rewrite(message.id, "other words")
    assert [message.payload for message in await store.unfinished("telegram")] == ["other words"]


async def test_unfinished_messages_come_oldest_first_with_what_was_sent(store: Store) -> None:
    first, second, third = [await put(store, key) for key in ("u3", "u1", "u2")]
    await store.record_posted(first.id, ["100"])
    await store.record_posted(first.id, ["100", "101"])
    await store.finish([second.id])
    found = await store.unfinished("telegram")
    assert [(message.key, message.posted_ids) for message in found] == [("u3", ("100", "101")), ("u2", ())]
    assert third in found
    assert await store.unfinished("slack") == []


async def test_a_message_that_was_deleted_stays_so_when_its_answer_is_stopped(store: Store) -> None:
    for key in ("u1", "u2"):
        await put(store, key)
    assert await store.wish("u1", Wish.WITHDRAW)
    for key in ("u1", "u2"):
        assert await store.wish(key, Wish.STOP)
    found = await store.unfinished("telegram")
    assert [(message.withdrawn, message.stop.requested) for message in found] == [(True, False), (False, True)]


async def test_new_words_of_a_message_that_was_stopped_are_answered(store: Store) -> None:
    message = await put(store, "u1")
    await store.wish("u1", Wish.STOP)
    await store.rewrite(message.id, "other words")
    [found] = await store.unfinished("telegram")
    assert not found.stop.requested


async def test_a_finished_message_keeps_only_its_key(store: Store, path: Path) -> None:
    message = await put(store, "u1")
    await store.finish([message.id])
    assert await store.put("telegram", "u1", "t:1", "again") is None
    await store.forget("t:other")  # writes SQLite's log back
    assert b"payload of u1" not in b"".join(file.read_bytes() for file in path.parent.iterdir())


async def test_what_was_said_after_the_order_to_forget_stays_to_be_answered(store: Store) -> None:
    before, order, after = [await put(store, key) for key in ("u1", "u2", "u3")]
    await store.record_posted(before.id, ["100"])
    assert await store.forget("t:1", order.key) == ("100",)
    assert [message.key for message in await store.unfinished("telegram")] == ["u2", "u3"]
    assert after.payload == "payload of u3"


async def test_a_conversation_does_not_expire_while_a_question_waits_in_it(store: Store, machine: Machine) -> None:
    await ask(store, "t:1", "?", image("cat"), key="k1")
    message = await put(store, "u1", "t:1")
    machine.passes(31 * DAY_SECONDS)
    assert await store.expiry.expire() == 0
    assert [message.key for message in await store.unfinished("telegram")] == ["u1"]
    await store.finish([message.id])
    assert await store.expiry.expire() == 1
    assert await store.put("telegram", "u1", "t:1", "again") is not None


async def test_the_turn_of_a_sent_message_is_found_by_the_platforms_id(store: Store) -> None:
    message, elsewhere = await put(store, "u1"), await put(store, "u2", "t:2")
    await store.record_posted(message.id, ["100", "101"])
    await store.record_posted(elsewhere.id, ["100"])
    await store.finish([message.id])
    turn = await ask(store, "t:1", "?", image("cat"), key="u1")
    other = await ask(store, "t:2", "?", key="u2")
    assert await store.turn_of_posted("telegram", "101") == outlined(turn)
    assert await store.turn_of_posted("telegram", "100", "t:1") == outlined(turn)
    assert await store.turn_of_posted("telegram", "100", "t:2") == outlined(other)
    assert await store.turn_of_posted("telegram", "999") is None
    assert await store.turn_of_posted("slack", "101") is None


async def test_an_answer_is_rated_by_the_platforms_id_of_its_message(store: Store) -> None:
    message = await put(store, "u1")
    await store.record_posted(message.id, ["100", "101"])
    turn = await ask(store, "t:1", "?", key="u1")
    assert await store.rate_posted("telegram", "101", 1)
    assert not await store.rate_posted("telegram", "999", 1)
    assert await store.rated() == [replace(turn, rating=1)]


async def test_a_message_that_is_gone_can_be_answered_all_the_same(store: Store, machine: Machine) -> None:
    message = await put(store, "u1")
    machine.passes(31 * DAY_SECONDS)
    await store.expiry.expire_now(unanswered=True)
    await store.record_posted(message.id, ["100"])
    await store.finish([message.id])
    assert await store.put("telegram", "u1", "t:1", "again") is not None


async def test_a_question_and_its_pictures_are_written_down_together_or_not_at_all(store: Store, path: Path) -> None:
    def fail(numbers: object, new: object) -> str:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError):
        await store.put_question("web", "k1", "web:1", [image("cat")], fail, "ann")
    assert not (await store.load("web:1")).pictures
    assert not await store.unfinished("web")
    await store.add_pictures("web:1", [image("cat")])
    message = await store.put_question(
        "web", "k1", "web:1", [image("dog"), image("cat")], lambda *told: str(told), "ann"
    )
    assert message is not None
    assert message.payload == "([2, 1], [2])"
    assert await store.put_question("web", "k1", "web:1", [image("bird")], lambda *told: str(told), "ann") is None
    assert len((await store.load("web:1")).pictures) == 2


async def test_what_is_taken_back_leaves_what_others_show(store: Store, path: Path) -> None:
    for key, name in (("k1", "cat"), ("k2", "dog")):
        message = await store.put_question("web", key, "web:1", [image(name)], lambda *told: "?", "ann")
        assert message is not None
        if key == "k1":
            turn = await ask(store, "web:1", "?", key="k1")
        await store.take_back(message, [1, 2])
    assert (await store.load("web:1")).turns == (turn,)
    assert [picture.number for picture in (await store.load("web:1")).pictures] == [1]
    assert await store.put("web", "k2", "web:1", "asked anew") is not None


async def test_several_pictures_are_kept_all_or_none(store: Store) -> None:
    broken = replace(image("dog"), data=None)  # type: ignore[arg-type]
    with pytest.raises(Busy):
        await store.add_pictures("t:1", [image("cat"), broken])
    assert not (await store.load("t:1")).pictures


async def test_files_of_a_question_that_was_refused_are_not_remembered_for_ever(store: Store) -> None:
    for conversation_id in ("t:1", "t:2", "t:3"):
        await store.remember_file("telegram:F", conversation_id, [image("cat").id])
    await ask(store, "t:1", "?", image("cat"), key="k1")
    await put(store, "u2", "t:2")
    await store.expiry.expire()
    assert [bool(await store.known_files(it)) for it in ("t:1", "t:2", "t:3")] == [True, True, False]


async def test_a_message_is_found_in_its_conversation_also_when_it_is_finished(store: Store) -> None:
    message = await store.put("slack", "slack:1", "slack:conversation", "{}")
    assert message
    await store.finish([message.id])
    assert await store.conversation_of("slack:1") == "slack:conversation"
    assert await store.conversation_of("slack:2") is None
