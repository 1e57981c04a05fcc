"""The service behind Debian's nginx and Caddy, at the top and below a path, with the blocks of docs/operate.md."""

import asyncio
import io
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import FilePayload, expect

from tests.bots.slack.server import FakeSlack, signed
from tests.bots.slack.workspace import BOT_TOKEN, SECRET, said
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import TOKEN, BotApi
from tests.bots.web.browser import needs_chromium, started, visit
from tests.bots.web.openai.asking import sent, user
from tests.demo import as_photo, sample, shows
from tests.ports import free_port
from tests.system.conftest import START_SECONDS, Host, Service
from tests.system.reverse_proxy import ReverseProxy, calling_from, reverse_proxy

pytestmark = [pytest.mark.system, pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module")]
PAGE_TOKEN, HOOK_SECRET = "the-pages-own-token", "a-secret-of-the-tests"
SHOWN, QUESTION = "invoice-en", "What is the total?"  # the page has a button for both
LARGEST_BYTES = 64 << 20  # upload_limit_mb, as it is by default
FORGED = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
BEHIND = """
token = "{page_token}"
path = "{path}"
trusted_proxies = ["127.0.0.1"]
[bots.telegram]
token = "{telegram_token}"
api_url = "{telegram}"
allow = "*"
mode = "webhook"
webhook_url = "{url}/telegram"
webhook_secret = "{hook_secret}"
[bots.slack]
bot_token = "{bot_token}"
signing_secret = "{signing_secret}"
api_url = "{slack}"
allow = "*"
"""


@dataclass
class Site:
    """A service behind a proxy. `url` is where people find it, `total` is its answer to the question."""

    url: str
    path: str
    proxy: ReverseProxy
    service: Service
    telegram: BotApi
    slack: FakeSlack
    client: httpx.AsyncClient  # through the proxy, with the page's token
    total: str = ""

    async def until(self, true: Any) -> None:
        await asyncio.wait_for(self._until(true), START_SECONDS)

    async def _until(self, true: Any) -> None:
        while not true():
            assert self.service.process.poll() is None, self.service.log
            await asyncio.sleep(0.05)


PLACES = [(kind, path) for kind in ("nginx", "caddy") for path in ("", "/pictures")]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=PLACES, ids=lambda place: "".join(place))
async def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    kind, path = request.param
    folder: Path = tmp_path_factory.mktemp("proxied")
    host, port = Host(folder), free_port()
    async with AsyncExitStack() as stack:
        proxy = stack.enter_context(reverse_proxy(kind, folder, path, f"127.0.0.1:{host.port}", port))
        telegram = await stack.enter_async_context(BotApi(strict=False))
        slack = await stack.enter_async_context(FakeSlack())
        telegram.posts, slack.held = False, []  # the tests deliver, through the proxy
        url = proxy.url + path
        tables = BEHIND.format(
            page_token=PAGE_TOKEN, path=path, url=url, telegram_token=TOKEN, telegram=telegram.url,
            hook_secret=HOOK_SECRET, bot_token=BOT_TOKEN, signing_secret=SECRET, slack=slack.api_url,
        )  # fmt: skip
        host.config.write_text(host.config.read_text("utf-8") + tables, "utf-8")
        service = stack.enter_context(host.start(wait=False))
        client = calling_from("127.0.0.1", url, proxy.trust)
        client.headers["Authorization"] = f"Bearer {PAGE_TOKEN}"
        made = Site(url, path, proxy, service, telegram, slack, await stack.enter_async_context(client))
        await asyncio.to_thread(service.until, service.ready)
        await made.until(lambda: telegram.webhook)
        files = {"image": ("invoice.png", sample(SHOWN), "image/png")}
        made.total = (await client.post("/api/v1/analyze", data={"query": QUESTION}, files=files)).json()["text"]
        yield made


@needs_chromium
async def test_the_page_works_in_a_browser_from_sign_in_to_sign_out(site: Site) -> None:
    """`visit` sees that the page asks for nothing above its path."""
    async with started() as browser, visit(browser, site.url, "/", ignore_https_errors=True) as page:
        await expect(page).to_have_url(f"{site.url}/login")
        await page.fill("#token", PAGE_TOKEN)
        await page.press("#token", "Enter")
        await expect(page).to_have_url(f"{site.url}/")
        await page.wait_for_load_state()  # before that nobody listens for files
        [cookie] = await page.context.cookies()
        assert (cookie.get("path"), cookie.get("secure"), cookie.get("httpOnly")) == (f"{site.path}/", True, True)
        await page.get_by_role("button", name=f"An invoice {QUESTION}").click()
        await expect(page.locator(".answered .prose")).to_contain_text(site.total)
        await expect(page.locator(".actions")).to_have_count(1)  # which stand below a whole answer
        await page.fill("#question", "What is the tax rate?")
        await page.press("#question", "Enter")
        await expect(page.locator(".actions")).to_have_count(2)
        await page.locator("#files").set_input_files(
            FilePayload(name="chart.png", mimeType="image/png", buffer=sample("chart"))
        )
        await expect(page.locator("#attached .number")).to_have_count(1)
        await page.fill("#question", "Which quarter is the highest?")
        await page.press("#question", "Enter")
        await expect(page.locator(".actions")).to_have_count(3)
        await page.reload()
        await expect(page.locator(".answered .prose")).to_have_count(3)
        await expect(page.locator(".shown img").last).to_have_js_property("complete", True)
        assert await page.locator(".shown img").last.evaluate("image => image.naturalWidth") > 0
        await page.get_by_role("button", name="Sign out").click()
        await expect(page).to_have_url(f"{site.url}/login")
        assert not await page.context.cookies()


async def test_an_answer_arrives_while_it_is_written(site: Site) -> None:
    """Stopping it after its first words shortens it: those came before its end."""
    files = {"image": ("invoice.png", sample(SHOWN), "image/png")}
    fields = {"query": "Extract all text", "stream": "true"}
    async with site.client.stream("POST", "/api/v1/analyze", data=fields, files=files) as answer:
        lines = answer.aiter_lines()
        async for line in lines:
            if "conversation" in line and line.startswith("data: "):
                conversation = json.loads(line[6:])["conversation"]
            if line == "event: piece":
                stopped = await site.client.post(f"/api/v1/conversations/{conversation}/stop")
                assert stopped.json() == {"stopped": True}
                break
        async for line in lines:
            if line == "event: done":
                assert json.loads((await anext(lines))[6:])["ending"] == "stopped"
                return
    raise AssertionError("the answer has no end")


async def test_programs_ask_at_v1_and_read_the_stream(site: Site) -> None:
    async with openai.AsyncOpenAI(
        base_url=f"{site.url}/v1",
        api_key=PAGE_TOKEN,
        max_retries=0,
        http_client=openai.DefaultAsyncHttpxClient(verify=site.proxy.trust),
    ) as client:
        messages: Any = [user(QUESTION, sent(sample(SHOWN)))]
        pieces = [
            chunk.choices[0].delta.content or ""
            async for chunk in await client.chat.completions.create(model="demo", messages=messages, stream=True)
        ]
    assert "".join(pieces) == site.total
    assert len(pieces) > 2


async def test_an_upload_just_below_the_limit_is_taken_and_one_above_it_refused(site: Site) -> None:
    files = [("image", (f"{colour}.bmp", bitmap(colour), "image/bmp")) for colour in ("red", "green")]
    request = site.client.build_request("POST", "/api/v1/pictures", files=files)
    assert 0.95 * LARGEST_BYTES < int(request.headers["content-length"]) < LARGEST_BYTES
    taken = await site.client.send(request)
    assert [picture["number"] for picture in taken.json()["pictures"]] == [1, 2]
    shown = await site.client.get(httpx.URL(site.url).join(taken.json()["pictures"][0]["url"]))
    assert Image.open(io.BytesIO(shown.content)).getpixel((0, 0)) == (255, 0, 0)
    large = site.client.build_request("POST", "/api/v1/pictures", files=[*files, files[0]])
    with httpx.Client(verify=site.proxy.trust) as reader:
        refused = await asyncio.to_thread(reader.send, large)
    assert refused.status_code == 413  # nginx says it by itself


def bitmap(colour: str) -> bytes:
    """31.5 MB, as files are counted."""
    data = io.BytesIO()
    Image.new("RGB", (3318, 3318), colour).save(data, "BMP")
    return data.getvalue()


async def test_what_others_forge_about_themselves_is_not_believed(site: Site) -> None:
    """Neither from the proxy's visitors, nor from somebody beside it who is no named proxy."""
    wrong = {"token": f"wrong-{secrets.token_hex(4)}"}
    direct = f"http://127.0.0.1:{site.service.client.base_url.port}"
    async with calling_from("127.0.0.3", site.url, site.proxy.trust) as visitor:
        assert (await visitor.post("/login", data=wrong, headers=FORGED)).status_code == 401
        signed_in = await visitor.post(
            "/login", data={"token": PAGE_TOKEN}, headers={**FORGED, "X-Forwarded-Proto": "http"}
        )
        assert signed_in.headers["location"] == f"{site.path}/"
        assert "; Secure" in signed_in.headers["set-cookie"]
        described = (await visitor.get("/docs", headers={**FORGED, "Cookie": cookie_of(signed_in)})).text
        assert "evil.example" not in described
        assert f"{site.url}/api/v1/analyze" in described
    async with calling_from("127.0.0.2", direct) as neighbour:
        assert (await neighbour.post("/login", data=wrong, headers=FORGED)).status_code == 401
        signed_in = await neighbour.post("/login", data={"token": PAGE_TOKEN}, headers=FORGED)
        assert "Secure" not in signed_in.headers["set-cookie"]
    log = site.service.log
    for address in ("127.0.0.3", "127.0.0.2"):
        assert f"wrong_token platform=web address={address}\n" in log
    assert FORGED["X-Forwarded-For"] not in log


def cookie_of(response: httpx.Response) -> str:
    return str(response.headers["set-cookie"].partition(";")[0])


async def test_telegrams_webhook_takes_what_has_its_secret(site: Site) -> None:
    chat = site.telegram.world.chat(secrets.randbelow(10**9) + 1)
    asked = Person(site.telegram, chat).shows(as_photo(SHOWN), QUESTION)
    update, hook = site.telegram.take_update(), site.telegram.webhook["url"]
    assert hook == f"{site.url}/telegram"
    async with httpx.AsyncClient(verify=site.proxy.trust) as outside:
        for secret, status in ((None, 403), ("another-secret-of-others", 403), (HOOK_SECRET, 200)):
            headers = {"X-Telegram-Bot-Api-Secret-Token": secret} if secret else {}
            assert (await outside.post(hook, json=update, headers=headers)).status_code == status
    await site.until(lambda: any(shows(m.get("text", ""), site.total) for m in chat.answers_to(asked["message_id"])))


async def test_slacks_webhook_takes_what_is_signed(site: Site) -> None:
    assert site.slack.held == []
    asked = site.slack.says(QUESTION, (site.slack.upload(sample(SHOWN), "invoice.png"),), channel="D0ANN")
    [(_, event)] = site.slack.held
    site.slack.held.clear()
    body = json.dumps(event)
    async with httpx.AsyncClient(verify=site.proxy.trust) as outside:
        for headers, status in (({}, 401), (signed(body, "another"), 401), (signed(body), 200)):
            headers = {"Content-Type": "application/json", **headers}
            answer = await outside.post(f"{site.url}/slack/events", content=body, headers=headers)
            assert answer.status_code == status
    await site.until(lambda: any(shows(said(m), site.total) for m in site.slack.workspace.answers("D0ANN", asked)))
