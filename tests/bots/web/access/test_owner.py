"""Two people in two browsers, programs, and people whom a proxy signed in: who reaches whose conversations."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from playwright.async_api import FilePayload, expect

from bots.cli.person import stored_author
from bots.conversing.services import Services
from bots.web.access.owner import COOKIE
from bots.web.app import make_app
from bots.web.config import WebConfig
from bots.web.operations.status import Operation
from bots.web.receiver import Receiver
from core.assistant import Assistant
from core.pictures.images import ImagesConfig
from core.pseudonym import pseudonym
from storage.store import Store, StoreConfig
from tests.bots.web.browser import needs_chromium, started
from tests.bots.web.conftest import KEY, Web, photo, service, until
from tests.core.papers import pdf
from tests.fakes import ScriptedEngine

API = "/api/v1"
PAPER = pdf(["one", "two"])
HERE = f"{API}/conversations/{{conversation_id}}"
ANSWER = '| Item | Price |\n|---|---|\n| Paper | 3 |\n\n```json\n[{"bbox_2d": [1, 1, 500, 500], "label": "stamp"}]\n```'
# How each route that names a conversation is used; all of them on one that has a turn and a waiting document.
OWN: dict[tuple[str, str], dict[str, Any]] = {
    ("GET", HERE): {},
    ("GET", f"{HERE}/export"): {},
    ("POST", f"{HERE}/link"): {},
    ("DELETE", f"{HERE}/link"): {},
    ("PATCH", HERE): {"json": {"name": "Mine", "pinned": True}},
    ("GET", f"{HERE}/pictures/{{number}}/thumbnail"): {},
    ("GET", f"{HERE}/pictures/{{number}}"): {},
    ("GET", f"{HERE}/pictures/{{number}}/original"): {},
    ("PUT", f"{HERE}/document/chosen"): {"json": {"pages": [1]}},
    ("GET", f"{HERE}/document/pages/{{page}}"): {},
    ("GET", f"{HERE}/settings"): {},
    ("PUT", f"{HERE}/settings"): {"json": {"language": "German"}},
    ("GET", f"{HERE}/turns/{{turn}}/table.csv"): {},
    ("GET", f"{HERE}/turns/{{turn}}/answer.md"): {},
    ("GET", f"{HERE}/turns/{{turn}}/marked/{{number}}.png"): {},
    ("POST", f"{HERE}/turns/{{turn}}/rating"): {"data": {"rating": 1}},
    ("POST", f"{HERE}/turns/{{turn}}/smallprint"): {},
    ("POST", f"{HERE}/turns/{{turn}}/edit"): {"data": {"query": "And where is it?"}, "params": {"stream": True}},
    ("GET", f"{HERE}/turns/{{turn}}/versions"): {},
    ("POST", f"{HERE}/retry"): {"params": {"stream": True}},
    ("POST", f"{HERE}/stop"): {},
    ("DELETE", f"{HERE}/waiting/{{number}}"): {},
    ("DELETE", f"{HERE}/pictures/{{number}}"): {},
    ("DELETE", HERE): {},
}
# Those whose body names it.
NAMED: dict[tuple[str, str], list[dict[str, Any]]] = {
    ("POST", f"{API}/analyze"): [
        {"data": {"query": "And now?"}},
        {"data": {"query": "And now?", "stream": "true"}, "headers": {"Idempotency-Key": "b" * 20}},
        {"json": {"query": "And now?"}},
    ],
    ("POST", f"{API}/pictures"): [{"files": {"image": photo("blue")}}],
}
UNKNOWN = {"detail": "There is no such conversation. It was deleted or has expired.", "code": "not_found"}
OTHERS = {  # that know of no conversation; the list has tests of its own
    *(("GET", path) for path in ("/", "/login", "/docs", "/admin", "/healthz", "/readyz", "/metrics")),
    *(("GET", path) for path in ("/samples/{name}", "/v1/models", "/v1/models/{model:path}", f"{API}/conversations")),
    *(("GET", path) for path in ("/shared/{link}", "/shared/{link}/pictures/{number}")),  # see test_shared.py
    *((method, f"/v1/{name}") for method in ("GET", "POST") for name in ("completions", "responses")),
    *(("POST", path) for path in ("/login", "/logout", "/admin", "/v1/chat/completions")),
}


@asynccontextmanager
async def browser(web: Web, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who has opened the page."""
    async with httpx.AsyncClient(base_url=web.url, headers=headers, timeout=60, trust_env=False) as client:
        assert (await client.get("/")).status_code == 200
        yield client


async def ask(client: httpx.AsyncClient, query: str = "First?", key: str | None = None, **fields: str) -> str:
    files = None if "conversation" in fields else {"image": photo()}
    headers = {"Idempotency-Key": key} if key else {}
    asked = await client.post(f"{API}/analyze", data={"query": query, **fields}, files=files, headers=headers)
    assert asked.status_code == 200, asked.text
    conversation: str = asked.json()["conversation"]
    return conversation


async def listed(client: httpx.AsyncClient) -> list[str]:
    return [it["title"] for it in (await client.get(f"{API}/conversations")).json()["conversations"]]


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[tuple[Web, httpx.AsyncClient, httpx.AsyncClient]]:
    engine = ScriptedEngine(script=lambda _: ANSWER + " word" * 900)
    async with AsyncExitStack() as stack:
        web = await stack.enter_async_context(service(tmp_path, engine, storage=StoreConfig(ratings=True)))
        ann, bob = [await stack.enter_async_context(browser(web)) for _ in range(2)]
        yield web, ann, bob


async def test_every_route_is_decided_on(tmp_path: Path) -> None:
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{tmp_path / 'answers.db'}"))
    assistant = Assistant(ScriptedEngine(), store)
    receiver = Receiver(Services(assistant, store))
    app = make_app(WebConfig(), receiver, ImagesConfig(), Operation(assistant.stats))
    await store.close()
    routes = set(_routes(app))
    assert routes == {*OWN, *NAMED, *OTHERS}
    assert {path for _, path in OWN} == {path for _, path in routes if "conversation_id" in path}


def _routes(router: Any) -> Iterator[tuple[str, str]]:
    for route in router.routes:
        if isinstance(route, APIRoute):
            yield from ((method, route.path) for method in route.methods or ())
        elif hasattr(route, "original_router"):
            yield from _routes(route.original_router)


async def test_nobody_reaches_a_conversation_of_another_browser_by_its_id(
    shop: tuple[Web, httpx.AsyncClient, httpx.AsyncClient],
) -> None:
    web, ann, bob = shop
    conversation = await ask(ann, "Where is the stamp?")
    added = await ann.post(f"{API}/pictures", data={"conversation": conversation}, files={"image": PAPER})
    waiting = added.json()["pictures"][0]["number"]
    before = await ann.get(HERE.format(conversation_id=conversation))
    assert before.status_code == 200
    for stranger in (bob, web.client):  # another browser, and a program
        for (method, path), fields in OWN.items():
            for number in (1, waiting):
                address = path.format(conversation_id=conversation, turn=1, number=number, page=1)
                refused = await stranger.request(method, address, **fields)
                assert (refused.status_code, refused.json()) == (404, UNKNOWN), path
        for (method, path), ways in NAMED.items():
            for fields in ways:
                way = "json" if "json" in fields else "data"
                named = {**fields, way: {**fields.get(way, {}), "conversation": conversation}}
                assert (await stranger.request(method, path, **named)).status_code == 404, fields
        assert await listed(stranger) == []
    assert (await ann.get(HERE.format(conversation_id=conversation))).json() == before.json()
    assert await listed(ann) == ["Where is the stamp?"]


async def test_everybody_reaches_their_own_by_the_same_requests(
    shop: tuple[Web, httpx.AsyncClient, httpx.AsyncClient],
) -> None:
    _, ann, _ = shop
    conversation = await ask(ann, "Where is the stamp?")
    added = await ann.post(f"{API}/pictures", data={"conversation": conversation}, files={"image": PAPER})
    waiting = added.json()["pictures"][0]["number"]
    for (method, path), fields in OWN.items():
        number = waiting if "waiting" in path else 1
        done = await ann.request(
            method, path.format(conversation_id=conversation, turn=1, number=number, page=1), **fields
        )
        assert done.status_code in (200, 204), (path, done.text)
    assert await listed(ann) == []


async def test_a_key_of_another_browser_opens_nothing(tmp_path: Path) -> None:
    engine = ScriptedEngine(pause=0.05)
    async with service(tmp_path, engine) as web, browser(web) as ann, browser(web) as bob:
        asking = asyncio.create_task(ask(ann, "A secret?", key=KEY))
        await until(lambda: engine.running)
        assert await listed(ann) == ["A secret?"]
        assert await listed(bob) == []
        for moment in ("while it is answered", "afterwards"):
            for fields in ({"query": "A secret?"}, {"query": "Another?"}):
                data, files = {**fields, "stream": "true"}, {"image": photo()}
                twin = await bob.post(f"{API}/analyze", data=data, files=files, headers={"Idempotency-Key": KEY})
                assert twin.status_code == 422, moment
            conversation = await asking
            own = await bob.post(f"{API}/conversations/{await ask(bob)}/retry", headers={"Idempotency-Key": KEY})
            assert own.status_code == 422
        assert conversation == await ask(ann, "A secret?", key=KEY)


async def test_what_programs_begin_is_in_no_list_and_opens_by_its_id(tmp_path: Path) -> None:
    async with service(tmp_path) as web, browser(web) as ann:
        conversation = await web.begin()
        assert await listed(ann) == await listed(web.client) == []
        assert (await ann.get(HERE.format(conversation_id=conversation))).status_code == 200
        assert await ask(web.client, "And?", conversation=conversation) == conversation


async def test_one_list_can_be_shared_and_what_was_somebodys_stays_theirs(tmp_path: Path) -> None:
    async with service(tmp_path) as web, browser(web) as ann:
        await ask(ann, "Mine?")
        cookies = dict(ann.cookies)
    async with service(tmp_path, shared_list=True) as web, browser(web) as bob:
        assert COOKIE not in bob.cookies
        ours = await ask(bob, "Ours?")
        await web.ask("A program's?", "red")
        assert await listed(web.client) == ["A program's?", "Ours?"]
        web.client.cookies.update(cookies)
        assert await listed(web.client) == ["A program's?", "Ours?", "Mine?"]
    async with service(tmp_path) as web, browser(web) as carl:
        assert await listed(carl) == ["A program's?", "Ours?"]
        assert (await carl.delete(HERE.format(conversation_id=ours))).status_code == 204


async def test_a_cookie_lasts_and_is_kept_from_scripts(web: Web) -> None:
    first = await web.client.get("/")
    assert "HttpOnly" in first.headers["set-cookie"]
    assert "SameSite=lax" in first.headers["set-cookie"]
    secret = web.client.cookies[COOKIE]
    await web.client.get("/")
    assert web.client.cookies[COOKIE] == secret
    assert secret not in await ask(web.client)


@pytest.mark.parametrize("cookie", ["", "short", "x" * 44, "-", "%00", "ä" * 43])
async def test_a_cookie_that_is_none_makes_nobody_an_owner(web: Web, cookie: str) -> None:
    headers = [(b"cookie", f"{COOKIE}={cookie}".encode())]
    asked = await web.client.post(f"{API}/analyze", data={"query": "?"}, files={"image": photo()}, headers=headers)
    assert asked.json()["conversation"].startswith("web:-:")


async def test_a_person_behind_a_proxy_has_one_list_in_every_browser_and_can_be_forgotten(tmp_path: Path) -> None:
    trusted: dict[str, Any] = {"trusted_proxies": ["127.0.0.1"], "person_header": "Remote-User"}
    async with service(tmp_path, **trusted) as web:
        ann = {"Remote-User": "ann@example.org"}
        async with browser(web, **ann) as desk, browser(web, **ann) as phone:
            assert COOKIE not in desk.cookies
            conversation = await ask(desk, "Mine?")
            assert await listed(phone) == ["Mine?"]
        async with browser(web, **{"Remote-User": "Bob B"}) as bob, browser(web) as guest:
            assert await listed(bob) == await listed(guest) == []
            assert (await bob.get(HERE.format(conversation_id=conversation))).status_code == 404
            await ask(bob, "Bob's?")
        two = [(b"remote-user", b"bob"), (b"Remote-User", b"ann@example.org")]
        for headers in (two, [(b"remote-user", b"\xff")], [(b"remote-user", b"a" * 101)]):
            assert (await web.client.get(f"{API}/conversations", headers=headers)).status_code == 400
        traces = await web.store.traces([pseudonym("web:ann@example.org")], stored_author)
        assert traces.own == {conversation}
        assert traces.questions == traces.pictures == 1


async def test_a_name_from_elsewhere_is_nobodys(tmp_path: Path) -> None:
    trusted: dict[str, Any] = {"trusted_proxies": ["192.0.2.1"], "person_header": "Remote-User"}
    async with service(tmp_path, **trusted) as web:
        said = {"Remote-User": "ann", "X-Forwarded-For": "192.0.2.1"}
        asked = await web.client.post(f"{API}/analyze", data={"query": "?"}, files={"image": photo()}, headers=said)
        assert asked.json()["conversation"].startswith("web:-:")


def test_a_header_is_believed_of_named_proxies_only() -> None:
    for wrong in ({}, {"trusted_proxies": ["127.0.0.1"], "person_header": "Cookie"}):
        with pytest.raises(ValueError, match="person_header"):
            WebConfig.model_validate({"person_header": "Remote-User", **wrong})


@needs_chromium
async def test_a_browser_keeps_its_list_also_when_it_comes_by_a_link_from_elsewhere(tmp_path: Path) -> None:
    elsewhere = "http://elsewhere.example/"
    async with service(tmp_path) as web, started() as chromium:
        page, other = [await (await chromium.new_context()).new_page() for _ in range(2)]
        await page.goto(web.url)
        await page.locator("#files").set_input_files(FilePayload(name="a.png", mimeType="image/png", buffer=photo()))
        await page.fill("#question", "Mine?")
        await page.press("#question", "Enter")
        await expect(page.locator(".actions")).to_be_visible()
        address = page.url
        link = f'<a href="{web.url}/">There</a>'
        await page.route(elsewhere, lambda route: route.fulfill(body=link, content_type="text/html"))
        await page.goto(elsewhere)
        await page.get_by_text("There").click()
        await expect(page.locator("#conversations .open")).to_have_text("Mine?")
        await other.goto(address)
        await expect(other.locator("#notice")).to_contain_text("There is no such conversation")
        await expect(other.locator("#conversations .open")).to_have_count(0)
