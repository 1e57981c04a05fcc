"""Lists of conversations on SQLite and PostgreSQL: whose they are, what is found in them, names and pins."""

from collections.abc import AsyncIterator

import pytest

from core.answer import Answer, Ending
from core.conversation import Turn
from core.errors import BadQuestion
from storage import listing
from storage.store import Store, StoreConfig
from tests.storage.things import ask, image

CAT, DOG = image("cat"), image("dog")


@pytest.fixture
async def lists(url: str) -> AsyncIterator[Store]:
    store = await Store.open(StoreConfig(url=url))
    yield store
    await store.close()


async def titles(store: Store, words: str = "", owner: str | None = None, limit: int = 200) -> list[str]:
    found, after = [], ""
    while True:
        page = await store.summaries("web", after, owner=owner, words=words, limit=limit)
        found += [known.title for known in page.summaries]
        if page.next is None:
            return found
        after = page.next


async def test_a_list_has_ones_own_and_everybodys(lists: Store) -> None:
    for key, conversation_id in enumerate(("web:ann:1", "web:bob:1", "web:anna:1", "web:-:1", "web:1", "slack:ann:1")):
        await ask(lists, conversation_id, conversation_id, key=f"k{key}")
    assert await titles(lists, owner="ann") == ["web:1", "web:ann:1"]
    assert await titles(lists, owner="") == ["web:1"]
    assert await titles(lists, owner="%") == ["web:1"]
    assert await titles(lists, owner="ann", limit=1) == ["web:1", "web:ann:1"]


async def test_words_are_found_in_questions_answers_and_names(lists: Store) -> None:
    await ask(lists, "web:1", "What is the total?", key="k1", answer="发票的总额是 1,284.50 欧元。")
    await ask(lists, "web:1", "And the tax?", key="k2", answer="19 %, or 205_00.")
    await ask(lists, "web:2", "合计金额是多少", key="k3", answer="Nothing.")
    await lists.arrange("web:2", "Müller's bill")
    expected = {
        "TOTAL": ["What is the total?"],
        "tax  total": ["What is the total?"],
        "tax nothing": [],
        "总额": ["What is the total?"],
        "金额": ["Müller's bill"],
        "müller": ["Müller's bill"],
        "合计": ["Müller's bill"],
        "19 %": ["What is the total?"],
        "%%": [],
        "2_5": [],
        "205_": ["What is the total?"],
        "'; --": [],
    }
    assert {words: await titles(lists, words) for words in expected} == expected
    assert await titles(lists, "total", owner="ann") == ["What is the total?"]


async def test_what_was_replaced_or_is_another_persons_is_not_found(lists: Store) -> None:
    await ask(lists, "web:ann:1", "Question?", key="k1", answer="An old secret")
    again = Turn("Question?", (), Answer("Fresh", Ending.DONE))
    await lists.save("web:ann:1", again, "k2", replaces="k1")
    assert await titles(lists, "secret", owner="ann") == []
    assert await titles(lists, "fresh", owner="ann") == ["Question?"]
    assert await titles(lists, "fresh", owner="bob") == []


async def test_only_the_newest_are_searched(lists: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "SEARCHED_CONVERSATIONS", 2)
    for number in range(3):
        await ask(lists, f"web:{number}", f"Needle {number}", key=f"k{number}")
    assert sorted(await titles(lists, "needle")) == ["Needle 1", "Needle 2"]


async def test_pinned_ones_stand_first_on_every_page_size(lists: Store) -> None:
    for number in range(5):
        await ask(lists, f"web:{number}", f"Question {number}", key=f"k{number}")
    for number in (0, 2):
        await lists.arrange(f"web:{number}", pinned=True)
    expected = [f"Question {number}" for number in (2, 0, 4, 3, 1)]
    for limit in (1, 2, 3, 200):
        assert await titles(lists, limit=limit) == expected
    await lists.arrange("web:2", pinned=False)
    assert (await titles(lists))[:2] == ["Question 0", "Question 4"]
    with pytest.raises(BadQuestion):
        await lists.summaries("web", "pinned~never~web:1")


async def test_a_name_is_short_and_can_be_taken_away(lists: Store) -> None:
    await ask(lists, "web:1", "Question?", key="k1")
    await lists.arrange("web:1", "  A  name\n" + "x" * 100, True)
    [named] = (await lists.summaries("web")).summaries
    assert (named.title[:7], len(named.title), named.named, named.pinned) == ("A name ", 80, True, True)
    await lists.arrange("web:1", " ")
    [known] = (await lists.summaries("web")).summaries
    assert (known.title, known.named, known.pinned) == ("Question?", False, True)


async def test_the_first_picture_that_is_left_stands_for_a_conversation(lists: Store) -> None:
    await ask(lists, "web:1", "Two?", CAT, DOG, key="k1")
    await ask(lists, "web:2", "None?", key="k2")
    found = {known.id: known.picture for known in (await lists.summaries("web")).summaries}
    assert found == {"web:1": (1, CAT.id), "web:2": None}
    await lists.remove_picture("web:1", 1)
    assert (await lists.summaries("web")).summaries[1].picture == (2, DOG.id)
