"""Settings of a conversation on disk."""

from collections.abc import Collection
from pathlib import Path

from core.settings import ConversationSettings, Length
from storage.store import Store
from tests.storage.things import ask, image

BRIEF = ConversationSettings("We sell bicycles.", length=Length.SHORT)


async def test_they_are_kept_with_the_conversation_also_before_its_first_question(store: Store) -> None:
    assert await store.settings("t:1") == ConversationSettings()
    await store.change_settings("t:1", BRIEF)
    assert await store.settings("t:1") == BRIEF
    await ask(store, "t:1", "?", image("cat"), key="k1")
    assert (await store.load("t:1")).settings == (await store.outline("t:1")).settings == BRIEF
    assert (await store.load("t:2")).settings == ConversationSettings()


async def test_a_restart_keeps_them_and_forgetting_does_not(store: Store) -> None:
    await store.change_settings("t:1", BRIEF)
    await store.restart("t:1")
    assert await store.settings("t:1") == BRIEF
    await store.forget("t:1")
    assert await store.settings("t:1") == ConversationSettings()


async def test_they_move_with_the_conversation(store: Store) -> None:
    await store.change_settings("t:1", BRIEF)
    assert await store.move("t:1", "t:2")
    assert await store.settings("t:2") == BRIEF


async def test_a_refused_first_question_leaves_them(store: Store) -> None:
    await store.change_settings("web:1", BRIEF)
    message = await store.put_question("web", "k", "web:1", [image("cat")], lambda numbers, new: str(numbers), "ann")
    assert message is not None
    await store.take_back(message, [1])
    assert await store.settings("web:1") == BRIEF


async def test_where_nothing_is_kept_only_the_settings_and_what_waits_stay(store: Store, path: Path) -> None:
    told: list[tuple[str | None, list[str]]] = []

    class Told:
        def forget(self, conversation_id: str | None, image_ids: Collection[str]) -> None:
            told.append((conversation_id, sorted(image_ids)))

        def keep_only(self, conversation_ids: Collection[str], image_ids: Collection[str]) -> None: ...

    store.computed = Told()
    await store.change_settings("t:1", BRIEF)
    await store.restart("t:1")
    secret, waiting = image("a secret picture " * 1000), image("waiting")
    await store.put("t", "k1", "t:1", "a secret question")
    await ask(store, "t:1", "a secret question", secret, key="k1")
    await store.remember_file("slack:F1", "t:1", [secret.id])
    await store.add_pictures("t:1", [waiting])
    assert not await store.forget_answered("t:1", "another key")
    assert await store.forget_answered("t:1", "k1")
    assert told == [("t:1", [secret.id])]
    assert not await store.unfinished("t")
    left = await store.load("t:1")
    assert (left.turns, [picture.image.id for picture in left.waiting]) == ((), [waiting.id])
    assert left.settings == BRIEF
    assert not await store.known_files("t:1")
    assert not (await store.summaries("", "", ())).summaries
    assert b"secret" not in b"".join(file.read_bytes() for file in path.parent.iterdir())
