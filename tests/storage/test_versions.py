"""A turn that was asked again or edited keeps its earlier versions, on both databases."""

from core.answer import Answer, Ending
from core.conversation import Picture, Turn
from storage.store import Store, StoreConfig
from storage.versions import MOST_VERSIONS
from tests.fakes import image


def turn(text: str, answer: str, ending: Ending = Ending.DONE) -> Turn:
    return Turn(text, (Picture(1, image()),), Answer(answer, ending))


async def test_versions_are_read_oldest_first_and_counted(url: str) -> None:
    store = await Store.open(StoreConfig(url=url))
    for number in range(3):
        await store.save("c", turn(f"Question {number}", "First"), f"k{number}")
    await store.save("c", turn("Question 1", "", Ending.FAILED), "again", "k1")
    assert await store.version_counts("c") == {2: 2}  # the last one counts, whatever became of it
    await store.save("c", turn("Question 1", "Second"), "and-again", "again")
    await store.save("c", turn("Other words", "Third"), "edited", "and-again")
    await store.save("c", turn("Question 2", "Second"), "last", "k2")
    assert await store.version_counts("c") == {2: 3, 3: 2}
    found = await store.versions_of("c", 2)
    assert [(it.text, it.answer and it.answer.text) for it in found] == [
        ("Question 1", "First"),
        ("Question 1", "Second"),
        ("Other words", "Third"),
    ]
    assert found[-1] == (await store.outline("c")).turns[1]
    assert [len(await store.versions_of("c", number)) for number in (1, 3, 4)] == [1, 2, 0]
    assert await store.key_of_turn("c", 2) == "edited"
    await store.restart("c")
    assert (await store.version_counts("c"), await store.versions_of("c", 1)) == ({}, [])
    await store.forget("c")
    assert await store.answered("k1") is None
    await store.close()


async def test_the_oldest_of_very_many_are_not_read(store: Store) -> None:
    await store.save("c", turn("Again?", "0"), "k0")
    for number in range(1, MOST_VERSIONS + 2):
        await store.save("c", turn("Again?", str(number)), f"k{number}", f"k{number - 1}")
    found = await store.versions_of("c", 1)
    assert [it.answer and it.answer.text for it in found] == [str(number) for number in range(2, MOST_VERSIONS + 2)]
    assert await store.version_counts("c") == {1: MOST_VERSIONS}


async def test_a_conversation_is_named_by_the_words_that_its_first_question_has_now(store: Store) -> None:
    for number in range(2):
        await store.save("c", turn(f"Question {number}", "."), f"k{number}")
    await store.save("c", turn("Later", "."), "edited-1", "k1")
    await store.save("c", turn("Other words", "."), "edited-0", "k0")
    assert [it.title for it in (await store.summaries("")).summaries] == ["Other words"]
