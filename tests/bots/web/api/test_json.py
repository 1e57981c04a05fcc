"""POST /api/v1/analyze with a JSON body: what a form can say, and the limits that stand before the work."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.bots.web.conftest import KEY, Web, events_of, photo, service

ANALYZE = "/api/v1/analyze"
RED, BLUE = (base64.b64encode(photo(colour)).decode() for colour in ("red", "blue"))


async def test_pictures_come_in_base64_or_as_data_urls(web: Web) -> None:
    body: dict[str, Any] = {"query": "Compare", "image": [RED, f"data:image/png;base64,{BLUE}"]}
    answer = (await web.client.post(ANALYZE, json=body)).json()
    assert answer["text"] == "Answer to 'Compare' about [1, 2] after 0 turns."
    body = {"query": "And this?", "conversation": answer["conversation"], "pictures": [2], "stream": True}
    done = events_of(await web.client.post(ANALYZE, json=body))[-1]
    assert (done[0], done[1]["text"]) == ("done", "Answer to 'And this?' about [2] after 1 turns.")
    one = await web.client.post("/api/v1/pictures", json={"image": RED})
    assert [picture["number"] for picture in one.json()["pictures"]] == [1]


async def test_a_question_is_the_same_in_both_forms(web: Web) -> None:
    first = await web.ask("What?", "red", key=KEY)
    headers = {"Idempotency-Key": KEY}
    again = await web.client.post(ANALYZE, json={"query": "What?", "image": RED}, headers=headers)
    assert again.json() == first.json()
    other = await web.client.post(ANALYZE, json={"query": "What?", "image": BLUE}, headers=headers)
    assert other.status_code == 422


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid_request"),
        (b"[" * 100_000, 400, "invalid_request"),
        (b'{"query": "a", "image": NaN}', 400, "invalid_request"),
        (b'{"query": "\\ud800"}', 400, "invalid_request"),
        ({"query": "?"}, 400, "invalid_question"),
        ({"image": RED}, 400, "invalid_question"),
        ({"query": "?", "image": RED, "kept": False}, 400, "invalid_request"),
        ({"query": "?", "image": RED, "keep": "no"}, 400, "invalid_request"),
        ({"query": "?", "image": RED, "pictures": "1"}, 400, "invalid_request"),
        ({"query": "?", "image": RED, "pictures": [1] * 25}, 400, "invalid_request"),
        ({"query": "?", "image": "!!"}, 400, "invalid_base64"),
        ({"query": "?", "image": ""}, 400, "invalid_image"),
        ({"query": "?", "image": "http://127.0.0.1/a.png"}, 400, "invalid_image_url"),
        ({"query": "?", "image": "file:///etc/passwd"}, 400, "invalid_image_url"),
        ({"query": "?", "image": base64.b64encode(b"no picture").decode()}, 415, "invalid_image"),
    ],
)
async def test_what_cannot_be_read_is_told(web: Web, body: Any, status: int, code: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body)
    reply = await web.client.post(ANALYZE, content=content, headers={"Content-Type": "application/json"})
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert (await web.store.summaries()).summaries == ()


async def test_the_bad_one_of_two_pictures_is_named(web: Web) -> None:
    for bad in ("!!", base64.b64encode(b"no picture").decode()):
        reply = await web.client.post(ANALYZE, json={"query": "?", "image": [RED, bad]})
        assert reply.json()["detail"].startswith("File 2 of 2: ")


async def test_too_much_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []
    monkeypatch.setattr("base64.b64decode", lambda text, **_: decoded.append(text))
    async with service(tmp_path) as web:
        for images in (["A" * 46_000_000], [RED] * 9):
            reply = await web.client.post(ANALYZE, json={"query": "?", "image": images})
            assert (reply.status_code, reply.json()["code"]) == (413, "too_large")
    assert decoded == []
