"""A conversation shared by a link: read by whoever has it, changed by no one, and gone when it is revoked."""

import base64
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, expect

from tests.bots.web.browser import needs_chromium, sound, visit
from tests.bots.web.conftest import photo, service
from tests.bots.web.hand import Hand
from tests.bots.web.test_page import choose

TOKEN = "a-token-for-the-tests"


async def test_a_link_opens_one_conversation_for_reading_until_it_is_taken_back(tmp_path: Path) -> None:
    async with service(tmp_path, token=TOKEN, path="/pictures") as web:
        web.client.headers["Authorization"] = f"Bearer {TOKEN}"
        api = "/pictures/api/v1"
        asked = await web.client.post(f"{api}/analyze", json={"query": "<b>First?</b>", "image": _picture()})
        conversation = asked.json()["conversation"]
        link = (await web.client.post(f"{api}/conversations/{conversation}/link")).json()["path"]
        assert (await web.client.post(f"{api}/conversations/{conversation}/link")).json()["path"] == link
        waits = await web.client.post(f"{api}/pictures", json={"conversation": conversation, "image": _picture("blue")})
        assert waits.json()["pictures"][0]["number"] == 2
        async with httpx.AsyncClient(base_url=web.url, trust_env=False, timeout=60) as stranger:
            page = await stranger.get(link)
            assert page.status_code == 200
            assert "&lt;b&gt;First?&lt;/b&gt;" in page.text
            assert conversation not in page.text
            picture = await stranger.get(f"{link}/pictures/1")
            assert (picture.headers["content-type"], picture.headers["cache-control"]) == ("image/png", "no-store")
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                assert (await stranger.request(method, link)).status_code == 405
            for other in (f"{link}/pictures/2", f"{link}x", f"{link}/export", link[:-1], f"{link[:-1]}%"):
                assert (await stranger.get(other)).status_code == 404, other
            assert (await stranger.get(f"{api}/conversations/{conversation}")).status_code == 401
            assert (await web.client.delete(f"{api}/conversations/{conversation}/link")).status_code == 204
            for gone in (link, f"{link}/pictures/1"):
                assert (await stranger.get(gone)).status_code == 404
            again = (await web.client.post(f"{api}/conversations/{conversation}/link")).json()["path"]
            assert again != link
            await web.client.delete(f"{api}/conversations/{conversation}")
            assert (await stranger.get(again)).status_code == 404


@needs_chromium
@pytest.mark.asyncio(loop_scope="session")
async def test_a_conversation_is_shared_on_the_page_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    hand = Hand.KEYBOARD
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await hand.ask(page, "Shared?")
        await expect(page.locator(".actions")).to_be_visible()
        await hand.press(await hand.more(page, "Shared?", "Share by a link"))
        await expect(page.locator("#share")).to_be_visible()
        link = await page.locator("#link").input_value()
        await sound(page)
        async with visit(browser, web.url, link.removeprefix(web.url)) as reader:
            await expect(reader.locator(".prose")).to_contain_text("Answer to 'Shared?'")
            await expect(reader.locator("article img")).to_have_js_property("naturalWidth", 64)
            await sound(reader)
            async with page.expect_response(lambda it: it.request.method == "DELETE"):
                await hand.press(page.get_by_role("button", name="Stop sharing"))
            await reader.reload()
            await expect(reader.get_by_text("This link does not open anything any more.")).to_be_visible()


def _picture(colour: str = "red") -> str:
    return base64.b64encode(photo(colour)).decode()
