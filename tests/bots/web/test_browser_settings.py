"""The colours and the language of the page are set for a browser, and a page comes as it should look."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from bots.web.page.pages import THEMES
from core.i18n import Translator
from tests.bots.web.browser import PHONE, needs_chromium, sound, visit
from tests.bots.web.conftest import KEY, service
from tests.bots.web.hand import Hand
from tests.bots.web.test_page import choose
from tests.bots.web.test_settings_panel import opened

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="session")]

HANDS: dict[Hand, dict[str, Any]] = {
    Hand.MOUSE: {},
    Hand.KEYBOARD: {"locale": "zh-CN"},
    Hand.FINGER: {**PHONE, "color_scheme": "dark"},
}
PAPER = {"light": "rgb(250, 249, 247)", "dark": "rgb(21, 22, 24)"}


async def bar_colours(page: Page) -> set[str]:
    """The colours that a telephone may give the bar above the page."""
    return set(await page.locator("meta[name=theme-color]").evaluate_all("found => found.map((it) => it.content)"))


@pytest.mark.parametrize("hand", HANDS)
async def test_a_browser_keeps_its_colours_on_every_page(browser: Browser, tmp_path: Path, hand: Hand) -> None:
    look = HANDS[hand]
    say = Translator(look.get("locale")).say
    system = look.get("color_scheme", "light")
    other = "light" if system == "dark" else "dark"
    async with service(tmp_path) as web, visit(browser, web.url, **look) as page:
        body = page.locator("body")
        await expect(body).to_have_css("background-color", PAPER[system])
        await opened(page, hand)
        await page.get_by_label(say("Colours")).select_option(say(other))
        await expect(body).to_have_css("background-color", PAPER[other])
        assert len(await bar_colours(page)) == 1
        await sound(page)
        for path in ("/", "/docs", "/admin"):
            await page.goto(web.url + path)
            await expect(body).to_have_css("background-color", PAPER[other])
        assert f'name="color-scheme" content="{other}"' in await (await page.request.get(web.url)).text()
        await page.goto(web.url)
        assert len(await bar_colours(page)) == 1
        await opened(page, hand)
        await expect(page.get_by_label(say("Colours"))).to_have_value(other)
        await page.get_by_label(say("Colours")).select_option(say("as in the system"))
        await expect(body).to_have_css("background-color", PAPER[system])
        assert len(await bar_colours(page)) == 2
        assert await page.context.cookies() == [it for it in await page.context.cookies() if it["name"] != "theme"]


async def test_what_a_style_sheet_and_the_manifest_call_paper_is_the_papers_colour(tmp_path: Path) -> None:
    light, dark = [theme.paper for theme in THEMES.values()]
    async with service(tmp_path) as web:
        assert f"--paper: light-dark({light}, {dark});" in (await web.client.get("/static/base.css")).text
        manifest = (await web.client.get("/static/manifest.json")).json()
        assert {manifest["background_color"], manifest["theme_color"]} == {light}
        page = (await web.client.get("/", headers={"Accept-Language": "zh"})).text
        assert '<option value="zh" lang="zh">中文</option>' in page and ">English</option>" in page


async def test_the_page_speaks_the_language_that_was_chosen_and_loses_nothing(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await page.locator("#question").press_sequentially("What is ")
        await opened(page)
        await page.get_by_label("Language of the page").select_option("中文")
        await expect(page.locator("html")).to_have_attribute("lang", "zh")
        await expect(page.locator("#question")).to_have_value("What is ")
        await expect(page.locator("#attached .number")).to_have_text(["1"])
        zh = Translator("zh").say
        await expect(page.get_by_role("button", name=zh("New conversation")).first).to_be_visible()
        gone = await page.request.get(f"{web.url}/api/v1/conversations/web:0")
        assert (await gone.json())["detail"] == zh("There is no such conversation. It was deleted or has expired.")
        await opened(page)
        await page.get_by_label(zh("Language of the page")).select_option(zh("as in the browser"))
        await expect(page.locator("html")).to_have_attribute("lang", "en")


async def test_a_choice_that_is_not_offered_changes_nothing(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path, token=KEY) as web:
        headers = {"Cookie": "language=xx; theme='\"><script>", "Accept-Language": "zh"}
        answer = await web.client.get("/login", headers=headers)
        assert 'lang="zh"' in answer.text and 'content="light dark"' in answer.text and "<script>" not in answer.text
        assert answer.headers["Vary"] == "Accept-Language, Cookie"
        chosen = await web.client.get("/login", headers={"Cookie": "language=zh; theme=dark"})
        assert 'lang="zh"' in chosen.text and 'content="dark"' in chosen.text
