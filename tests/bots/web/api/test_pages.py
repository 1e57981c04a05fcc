"""Pages of a document that nobody looked at yet, over REST: named in the question, or in a later one."""

from pathlib import Path
from typing import Any

import pytest

from core.errors import StoreDown
from core.stored_message import StoredMessage
from storage.store import Store
from tests.bots.web.conftest import Web, photo, service
from tests.core.nine_pages import PAPER, page_numbers

SENT = {"image": ("paper.pdf", PAPER, "application/pdf")}


async def ask(web: Web, query: str, conversation: str = "", key: str = "", **more: Any) -> dict[str, Any]:
    data = {"query": query, **({"conversation": conversation} if conversation else {}), **more.pop("fields", {})}
    headers = {"Idempotency-Key": key} if key else {}
    response = await web.client.post("/api/v1/analyze", data=data, headers=headers, **more)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def seen(web: Web, conversation: str) -> list[list[int]]:
    """The pages that each turn shows, found by what they look like."""
    numbers = await page_numbers()
    turns = (await web.store.load(conversation)).turns
    return [[numbers[picture.image.id] for picture in turn.pictures] for turn in turns]


@pytest.mark.parametrize("keys", [("", ""), ("a-key-for-the-first", "a-key-for-the-second")])
async def test_a_later_question_names_other_pages(web: Web, keys: tuple[str, str]) -> None:
    first = await ask(web, "What is it?", key=keys[0], files=SENT)
    assert first["notes"] == ["Pages looked at: 1-4 of 9. For others, ask about “page 5”, for example."]
    second = await ask(web, "And page 7?", first["conversation"], key=keys[1])
    assert second["notes"] == ["Pages looked at: 7 of 9. For others, ask about “page 8”, for example."]
    await ask(web, "And the date?", first["conversation"])
    assert await seen(web, first["conversation"]) == [[1, 2, 3, 4], [7], []]


async def test_pages_named_after_the_upload_take_the_place_of_those_that_were_shown(web: Web) -> None:
    added = (await web.client.post("/api/v1/pictures", files=SENT)).json()
    assert [picture["number"] for picture in added["pictures"]] == [1, 2, 3, 4]
    assert added["notes"] == ["Pages looked at: 1-4 of 9. For others, ask about “page 5”, for example."]
    fields = {"pictures": "1,2,3,4"}
    answer = await ask(web, "第5到6页写了什么？", added["conversation"], key="a-key-nobody-guesses", fields=fields)
    assert answer["notes"] == ["已看第 5-6 页（共 9 页）。要看其他页，请在提问时写明页码，例如“第7页”。"]
    known = (await web.client.get(f"/api/v1/conversations/{added['conversation']}")).json()
    assert await seen(web, added["conversation"]) == [[5, 6]]
    assert known["waiting"] == []


class Ending(Store):
    """Is over as soon as a question is on disk."""

    async def put_question(self, *what: Any) -> StoredMessage | None:
        await super().put_question(*what)
        raise StoreDown("Killed.")


async def test_a_document_is_on_disk_with_the_question_that_came_with_it(tmp_path: Path) -> None:
    """A kill comes between: the question is answered at the next start, and its other pages can be asked about."""
    key = {"Idempotency-Key": "a-key-for-the-first"}
    async with service(tmp_path, kind=Ending) as web:
        form = {"query": "What is it?"}
        assert (await web.client.post("/api/v1/analyze", data=form, headers=key, files=SENT)).status_code == 503
    async with service(tmp_path) as web:
        first = await ask(web, "What is it?", key=key["Idempotency-Key"], files=SENT)
        await ask(web, "And page 7?", first["conversation"])
        assert await seen(web, first["conversation"]) == [[1, 2, 3, 4], [7]]


async def test_a_page_that_it_does_not_have_is_said_and_the_question_is_answered(web: Web) -> None:
    first = await ask(web, "What is it?", files=SENT)
    answer = await ask(web, "And page 12?", first["conversation"])
    assert answer["notes"] == ["This document has 9 pages; please ask about one of them."]
    assert answer["text"].startswith("Answer to 'And page 12?'")


async def test_a_new_file_is_asked_about_and_not_the_document_before(web: Web) -> None:
    first = await ask(web, "What is it?", files=SENT)
    other = {"image": ("other.png", photo("red"), "image/png")}
    answer = await ask(web, "Is this page 7?", first["conversation"], key="a-key-nobody-guesses", files=other)
    assert answer["notes"] == []


async def test_without_a_document_a_page_is_only_a_word(web: Web) -> None:
    conversation = await web.begin()
    answer = await ask(web, "What is on page 7?", conversation)
    assert answer["notes"] == []
