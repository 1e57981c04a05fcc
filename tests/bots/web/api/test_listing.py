"""The list over REST: what is found, named and pinned in it, and small pictures."""

import io
from pathlib import Path

import pytest
from PIL import Image

from tests.bots.web.conftest import Web, photo, service
from tests.bots.web.test_reading import statements

LIST = "/api/v1/conversations"


@pytest.fixture(autouse=True)
async def as_a_browser(web: Web) -> None:
    await web.client.get("/")


async def listed(web: Web, **wanted: str) -> list[str]:
    page = (await web.client.get(LIST, params=wanted)).json()
    return [known["title"] for known in page["conversations"]]


async def test_a_conversation_is_found_named_and_pinned(web: Web) -> None:
    first = await web.begin()
    await web.ask("合计是多少？", "blue")
    assert await listed(web) == ["合计是多少？", "First?"]
    assert await listed(web, words="合计") == ["合计是多少？"]
    assert await listed(web, words="answer FIRST") == ["First?"]
    assert await listed(web, words="nothing of it") == []
    assert (await web.client.patch(f"{LIST}/{first}", json={"name": "发票", "pinned": True})).status_code == 204
    assert await listed(web) == ["发票", "合计是多少？"]
    known = (await web.client.get(LIST)).json()["conversations"][0]
    assert (known["named"], known["pinned"]) == (True, True)
    assert (await web.client.patch(f"{LIST}/{first}", json={"name": ""})).status_code == 204
    assert await listed(web) == ["First?", "合计是多少？"]


@pytest.mark.parametrize("wrong", [{"name": "x" * 201}, {"name": "\0"}, {"pinned": "perhaps"}, {"title": "?"}, [], "?"])
async def test_what_is_no_arrangement_is_refused(web: Web, wrong: object) -> None:
    assert (await web.client.patch(f"{LIST}/{await web.begin()}", json=wrong)).status_code == 422


@pytest.mark.parametrize("words", ["x" * 101, "\0"])
async def test_what_cannot_be_searched_for_is_refused(web: Web, words: str) -> None:
    assert (await web.client.get(LIST, params={"words": words})).status_code == 422


async def test_the_first_picture_is_there_small_and_whole(tmp_path: Path) -> None:
    async with service(tmp_path, path="/pictures") as web:
        await web.client.get("/")
        files = {"image": ("tall.png", photo("red", (300, 1200)), "image/png")}
        await web.client.post("/pictures/api/v1/analyze", data={"query": "Tall?"}, files=files)
        [known] = (await web.client.get("/pictures/api/v1/conversations")).json()["conversations"]
        with statements(web) as heard:
            small = await web.client.get(known["thumbnail"])
        assert sum("pictures" in statement for statement in heard) == 1
        assert "immutable" in small.headers["cache-control"]
        assert Image.open(io.BytesIO(small.content)).size == (24, 96)
        gone = known["thumbnail"].replace("/1/thumbnail", "/2/thumbnail")
        assert (await web.client.get(gone)).status_code == 404
