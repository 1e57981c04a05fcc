"""The pages of a document over REST: small ones to choose from, and which of them a question shows."""

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.pictures.documents import open_document
from core.pictures.kept_document import KeptDocument
from core.quota import QuotaConfig
from tests.bots.web.api.test_pages import SENT, ask, seen
from tests.bots.web.conftest import Web, photo, service, until
from tests.core.papers import pdf, tiff
from tests.fakes import ScriptedEngine


async def add(web: Web, **fields: Any) -> dict[str, Any]:
    added = await web.client.post("/api/v1/pictures", files=SENT, data=fields)
    assert added.status_code == 200, added.text
    view: dict[str, Any] = added.json()
    return view


async def choose(web: Web, conversation: str, *pages: int) -> dict[str, Any]:
    chosen = await web.client.put(f"/api/v1/conversations/{conversation}/document/chosen", json={"pages": pages})
    assert chosen.status_code == 200, chosen.text
    view: dict[str, Any] = chosen.json()
    return view


def chosen(view: dict[str, Any]) -> dict[int, int]:
    return {it["page"]: it["picture"] for it in view["document"]["chosen"]}


def note_reading(web: Web, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the conversations whose document is read from now on."""
    read: list[str] = []
    find = web.store.document

    async def noting(conversation: str) -> KeptDocument | None:
        read.append(conversation)
        return await find(conversation)

    monkeypatch.setattr(web.store, "document", noting)
    return read


async def test_a_document_tells_its_pages_and_which_of_them_wait(web: Web) -> None:
    added = await add(web)
    known = (await web.client.get(f"/api/v1/conversations/{added['conversation']}")).json()
    assert known["document"] == added["document"]
    assert (added["document"]["pages"], added["document"]["limit"]) == (9, 4)
    assert chosen(added) == {1: 1, 2: 2, 3: 3, 4: 4}


async def test_chosen_pages_wait_for_the_next_question_and_no_others(web: Web) -> None:
    here = (await add(web))["conversation"]
    first = await choose(web, here, 4, 7)
    assert chosen(first) == {4: 4, 7: 5}
    assert [picture["number"] for picture in first["pictures"]] == [4, 5]
    assert chosen(await choose(web, here)) == {}
    last = await choose(web, here, 9, 7)
    await ask(web, "What is it?", here, fields={"pictures": ",".join(str(chosen(last)[page]) for page in (7, 9))})
    assert await seen(web, here) == [[7, 9]]
    known = (await web.client.get(f"/api/v1/conversations/{here}")).json()
    assert (known["waiting"], known["document"]["chosen"]) == ([], [])
    assert list(chosen(await choose(web, here, 7))) == [7]  # also one that an earlier question showed


async def test_ticks_that_open_nothing_count_for_nothing(tmp_path: Path) -> None:
    async with service(tmp_path, quota=QuotaConfig(pictures_per_minute=4)) as web:
        here = (await add(web))["conversation"]
        for pages in ((1, 2, 3), (1, 2), (1,), (), ()):
            assert list(chosen(await choose(web, here, *pages))) == list(pages)


async def test_pages_that_wait_already_are_asked_about_without_reading_the_file_again(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = await add(web)
    here, ticked = added["conversation"], chosen(await choose(web, added["conversation"], 5, 6, 8))
    read = note_reading(web, monkeypatch)
    numbers = ",".join(map(str, ticked.values()))
    fields = {"pages": "6,5", "pictures": numbers, "document": added["document"]["id"], "alone": "true"}
    answer = await ask(web, "What differs from page 9?", here, fields=fields)
    assert answer["notes"] == ["Pages looked at: 5-6 of 9. For others, ask about “page 7”, for example."]
    await ask(web, "What is on page 9?", here, fields={"pages": "9", "document": "of another time"})
    assert (await seen(web, here), read) == ([[5, 6], []], [])
    known = (await web.client.get(f"/api/v1/conversations/{here}")).json()
    assert known["waiting"] == []
    await ask(web, "And this?", here, fields={"pages": "7"})
    assert ((await seen(web, here))[-1], read) == ([7], [here])


async def test_pages_of_a_question_that_is_being_answered_do_not_wait_for_the_next(tmp_path: Path) -> None:
    gate = asyncio.Event()
    engine = ScriptedEngine(gate=gate)
    async with service(tmp_path, engine) as web:
        here = (await add(web))["conversation"]
        fields = {"pictures": "1,2,3,4", "alone": "true"}
        first = asyncio.create_task(ask(web, "What is it?", here, key="a-key-for-the-first", fields=fields))
        await until(lambda: engine.running)
        known = (await web.client.get(f"/api/v1/conversations/{here}")).json()
        assert known["document"]["chosen"] == []
        ticked = await choose(web, here, 5)
        assert chosen(ticked) == {5: 5}
        assert [picture["number"] for picture in ticked["pictures"]] == [5]
        assert chosen(await choose(web, here, 4, 5)) == {4: 4, 5: 5}  # one of both questions
        gate.set()
        await first
        assert await seen(web, here) == [[1, 2, 3, 4]]


async def test_pages_that_look_the_same_are_one_picture(web: Web) -> None:
    paper = tiff([9, 99, 99])
    added = await web.client.post("/api/v1/pictures", files={"image": ("scan.tiff", paper, "image/tiff")})
    here = added.json()["conversation"]
    assert chosen(added.json()) == {1: 1, 2: 2, 3: 2}
    view = await choose(web, here, 2)
    assert chosen(view) == {2: 2, 3: 2}
    assert [picture["number"] for picture in view["pictures"]] == [2]


@pytest.mark.parametrize("key", ["", "a-key-nobody-guesses"])
async def test_a_question_names_pages_in_a_field_and_its_words_no_longer_do(web: Web, key: str) -> None:
    here = (await add(web))["conversation"]
    fields = {"pages": "5, 6", "pictures": "1,2,3,4"}
    answer = await ask(web, "What differs from page 9?", here, key=key, fields=fields)
    assert answer["notes"] == ["Pages looked at: 5-6 of 9. For others, ask about “page 7”, for example."]
    assert await seen(web, here) == [[5, 6]]


SAME = {"pictures": "1", "pages": "5"}
OTHERS: list[dict[str, str]] = [
    {"pages": "1,5"},
    {"pictures": "1,5"},
    {"pictures": "1", "pages": "6"},
    SAME | {"alone": "true"},
    SAME | {"document": "of another time"},
]


async def test_a_key_is_of_its_pages_and_of_no_other_question(web: Web) -> None:
    here, key = (await add(web))["conversation"], {"Idempotency-Key": "a-key-nobody-guesses"}
    answer = await ask(web, "What is it?", here, key=key["Idempotency-Key"], fields=SAME)
    for fields in OTHERS:
        form = {"query": "What is it?", "conversation": here, **fields}
        refused = await web.client.post("/api/v1/analyze", data=form, headers=key)
        assert (refused.status_code, refused.json()["code"]) == (422, "key_reused"), fields
    for again in (SAME, {}):  # it reads along
        assert await ask(web, "What is it?", here, key=key["Idempotency-Key"], fields=again) == answer


@pytest.mark.parametrize("form", ["data", "json"])
async def test_chosen_pages_are_of_their_own_document_when_another_came_meanwhile(web: Web, form: str) -> None:
    added = await add(web)
    here, ticked = added["conversation"], await choose(web, added["conversation"], 5, 6)
    other = {"image": ("other.pdf", pdf([f"sheet {number}" for number in range(1, 8)]), "application/pdf")}
    waiting = (await web.client.post("/api/v1/pictures", files=other, data={"conversation": here})).json()
    numbers = list(chosen(ticked).values())
    fields: dict[str, Any] = {"query": "?", "conversation": here, "document": added["document"]["id"], "alone": True}
    lists = {"pages": [5, 6], "pictures": numbers}
    written = lists if form == "json" else {name: ",".join(map(str, value)) for name, value in lists.items()}
    body: dict[str, Any] = {form: fields | written}
    asked = await web.client.post("/api/v1/analyze", **body)
    assert asked.status_code == 200, asked.text
    assert await seen(web, here) == [[5, 6]]
    known = (await web.client.get(f"/api/v1/conversations/{here}")).json()
    assert known["document"] == waiting["document"]  # its pages still wait


async def test_named_pages_leave_those_of_a_later_question(web: Web) -> None:
    here = (await add(web))["conversation"]
    await ask(web, "What is on page 9?", here, fields={"pictures": "1,2", "alone": "true"})
    assert await seen(web, here) == [[9]]
    known = (await web.client.get(f"/api/v1/conversations/{here}")).json()
    assert [picture["number"] for picture in known["waiting"]] == [3, 4]


async def test_pages_can_be_chosen_with_the_file(web: Web) -> None:
    first = await ask(web, "What differs from page 9?", files=SENT, fields={"pages": "2,8"})
    assert await seen(web, first["conversation"]) == [[2, 8]]
    assert list(chosen(await add(web, pages="9"))) == [9]
    unkept = await ask(web, "What?", files=SENT, fields={"pages": "2,8", "keep": "false"})
    assert unkept["notes"][0].startswith("Pages looked at: 2, 8 of 9.")


async def test_a_picture_that_comes_with_a_document_has_no_pages_to_choose(web: Web) -> None:
    files = [("image", SENT["image"]), ("image", ("red.png", photo("red"), "image/png"))]
    answer = await ask(web, "What differs?", files=files, fields={"pages": "7"})
    assert answer["notes"] == ["Pages looked at: 7 of 9. For others, ask about “page 8”, for example."]


async def test_a_short_document_is_kept_too(web: Web) -> None:
    paper = {"image": ("paper.pdf", pdf(["one", "two"]), "application/pdf")}
    added = (await web.client.post("/api/v1/pictures", files=paper)).json()
    assert chosen(await choose(web, added["conversation"], 2)) == {2: 2}
    assert list(chosen(await choose(web, added["conversation"], 1, 2))) == [1, 2]


async def test_a_page_is_drawn_small_and_kept_only_under_an_address_that_names_its_file(web: Web) -> None:
    scan = {"image": ("scan.tiff", tiff([9, 99, 200]), "image/tiff")}
    for files, page in ((SENT, 9), (scan, 3)):
        added = (await web.client.post("/api/v1/pictures", files=files)).json()
        address = added["document"]["thumbnail"].replace("{page}", str(page))
        small = await web.client.get(address)
        assert small.headers["content-type"] == "image/png"
        assert small.headers["cache-control"] == "private, max-age=86400, immutable"
        assert max(Image.open(io.BytesIO(small.content)).size) == 240
        for other in ("", "?of=", "?of=0000"):
            assert (await web.client.get(address.split("?")[0] + other)).headers["cache-control"] == "no-store"


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"json": {"query": "?", "pages": [10]}}, 404, "no_page"),
    ({"json": {"query": "?", "pages": [1, 2, 3, 4, 5]}}, 413, "too_many_pages"),
    ({"json": {"query": "?", "pages": [0]}}, 400, "invalid_request"),
    ({"data": {"query": "?", "pages": "0"}}, 400, "invalid_question"),
    ({"data": {"query": "?", "pages": "5-6"}}, 400, "invalid_question"),
    ({"data": {"query": "?", "pages": "5", "pictures": "1", "region": "0,0,500,500"}}, 400, "invalid_question"),
    ({"data": {"query": "?", "pages": "12"}, "files": SENT}, 415, "invalid_image"),
    ({"data": {"query": "?", "pages": "1,12"}, "files": SENT}, 415, "invalid_image"),
]


@pytest.mark.parametrize(("fields", "status", "code"), REFUSED)
async def test_pages_that_cannot_be_are_refused_before_anything_is_asked(
    web: Web, fields: dict[str, Any], status: int, code: str
) -> None:
    here = (await add(web))["conversation"]
    kind = "json" if "json" in fields else "data"
    refused = await web.client.post("/api/v1/analyze", **{**fields, kind: {**fields[kind], "conversation": here}})
    assert (refused.status_code, refused.json()["code"]) == (status, code), refused.text
    assert await seen(web, here) == []


async def test_without_a_document_nothing_can_be_chosen(web: Web) -> None:
    conversation = await web.begin()
    here = f"/api/v1/conversations/{conversation}"
    refusals = [
        await web.client.get(f"{here}/document/pages/1"),
        await web.client.put(f"{here}/document/chosen", json={"pages": [1]}),
        await web.client.post("/api/v1/analyze", data={"query": "?", "conversation": conversation, "pages": "1"}),
    ]
    assert [(it.status_code, it.json()["code"]) for it in refusals] == [(404, "no_document")] * 3
    assert (await web.client.get(here)).json()["document"] is None


async def test_a_conversation_that_is_deleted_while_a_page_is_chosen_stays_deleted(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = (await add(web))["conversation"]
    address = f"/api/v1/conversations/{here}"

    async def open_it(*what: Any, **more: Any) -> Any:
        opened = await open_document(*what, **more)
        assert (await web.client.delete(address)).status_code == 204
        return opened

    monkeypatch.setattr("bots.conversing.document_pages.open_document", open_it)
    for _ in ("while it is opened", "before"):
        refused = await web.client.put(f"{address}/document/chosen", json={"pages": [7]})
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
        assert not await web.store.has_begun(here)


async def test_what_the_document_does_not_have_cannot_be_chosen_or_drawn(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, read = (await add(web))["conversation"], note_reading(web, monkeypatch)
    address = f"/api/v1/conversations/{here}/document"
    for pages, status, code in (([10], 404, "no_page"), ([1, 2, 3, 4, 5], 413, "too_many_pages"), ([0], 422, None)):
        refused = await web.client.put(f"{address}/chosen", json={"pages": pages})
        assert (refused.status_code, refused.json()["code"]) == (status, code or "invalid_parameter")
    assert (await web.client.get(f"{address}/pages/10")).json()["code"] == "no_page"
    assert read == []
    known = (await web.client.get(f"/api/v1/conversations/{here}")).json()
    assert list(chosen(known)) == [1, 2, 3, 4]


async def test_the_last_document_takes_the_place_of_the_one_before(web: Web) -> None:
    here = (await add(web))["conversation"]
    paper = {"image": ("paper.pdf", pdf(["one", "two", "three"]), "application/pdf")}
    again = (await web.client.post("/api/v1/pictures", files=paper, data={"conversation": here})).json()
    assert again["document"]["pages"] == 3
    assert list(chosen(again)) == [1, 2, 3]
