"""Settings of a conversation on disk."""

from core.settings import Length, Settings
from storage.store import Store
from tests.storage.things import ask, image

BRIEF = Settings("We sell bicycles.", length=Length.SHORT)


async def test_they_are_kept_with_the_conversation_also_before_its_first_question(store: Store) -> None:
    assert await store.settings("t:1") == Settings()
    await store.change_settings("t:1", BRIEF)
    assert await store.settings("t:1") == BRIEF
    await ask(store, "t:1", "?", image("cat"), key="k1")
    assert (await store.load("t:1")).settings == (await store.outline("t:1")).settings == BRIEF
    assert (await store.load("t:2")).settings == Settings()


async def test_a_restart_keeps_them_and_forgetting_does_not(store: Store) -> None:
    await store.change_settings("t:1", BRIEF)
    await store.restart("t:1")
    assert await store.settings("t:1") == BRIEF
    await store.forget("t:1")
    assert await store.settings("t:1") == Settings()


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
