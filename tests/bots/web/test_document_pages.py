"""The pages of a document on the page: small pictures to tick, by mouse, keyboard and touch."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import APIResponse, Browser, Locator, Page, Request, Route, expect

from core.i18n import Translator
from tests.bots.web.api.test_pages import seen
from tests.bots.web.browser import PHONE, needs_chromium, sound, visit
from tests.bots.web.conftest import photo, service
from tests.bots.web.hand import Hand
from tests.bots.web.test_page import ask
from tests.core.nine_pages import PAPER
from tests.core.papers import pdf
from tests.fakes import ScriptedEngine

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="session")]
SENT = ("paper.pdf", "application/pdf", PAPER)


def sheet(page: Page, number: int) -> Locator:
    return page.locator(f'#pages input[value="{number}"]')


async def ticked(page: Page, *pages: int) -> None:
    await expect(page.locator("#pages input:checked")).to_have_count(len(pages))
    for number in pages:
        await expect(sheet(page, number)).to_be_checked()


async def tick(page: Page, hand: Hand, number: int) -> None:
    """The keyboard reaches the strip by Tab, and goes on in it by arrows."""
    if hand is not Hand.KEYBOARD:
        await hand.press(sheet(page, number))
        return
    here = page.locator('#pages input[tabindex="0"]')
    await hand._reach(here)
    now = int(await here.get_attribute("value") or 0)
    for _ in range(abs(number - now)):
        await page.keyboard.press("ArrowRight" if number > now else "ArrowLeft")
    await expect(sheet(page, number)).to_be_focused()
    await page.keyboard.press("Space")


@pytest.mark.parametrize(
    ("hand", "look"),
    [
        (Hand.MOUSE, {"color_scheme": "dark"}),
        (Hand.KEYBOARD, {"locale": "zh-CN"}),
        (Hand.FINGER, {**PHONE, "locale": "zh-CN"}),
    ],
)
async def test_ticks_decide_which_pages_a_question_shows(
    browser: Browser, tmp_path: Path, hand: Hand, look: dict[str, Any]
) -> None:
    say = Translator(look.get("locale")).say
    async with service(tmp_path, ScriptedEngine()) as web, visit(browser, web.url, **look) as page:
        await hand.choose(page.locator("#choose"), SENT)
        summary, numbers = page.locator("#pages summary"), page.locator("#attached .number")
        said = "Pages for the next question: {chosen} of {of}, at most {limit}"
        await expect(summary).to_have_text(say(said, chosen=4, of=9, limit=4))
        await ticked(page, 1, 2, 3, 4)
        await expect(page.locator("#pages img").first).not_to_have_js_property("naturalWidth", 0)
        await sound(page)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")

        await tick(page, hand, 5)  # one too many
        await expect(page.get_by_role("alert")).to_have_text(
            say("At most {limit} pages in one question, please.", limit=4)
        )
        await ticked(page, 1, 2, 3, 4)
        for number in (1, 2, 3, 7):
            await tick(page, hand, number)
        await expect(page.get_by_role("alert")).to_be_hidden()
        await expect(numbers).to_have_text(["4", "5"])
        await expect(summary).to_have_text(say(said, chosen=2, of=9, limit=4))
        await page.reload()
        await expect(numbers).to_have_text(["4", "5"])
        await ticked(page, 4, 7)
        await expect(page.locator("#pages")).not_to_have_attribute("open", "")
        await hand.press(page.get_by_role("button", name=say("Remove picture {number}", number=4)))
        await ticked(page, 7)
        await hand.press(summary)
        await tick(page, hand, 8)
        await expect(numbers).to_have_text(["5", "6"])
        await hand.ask(page, "What differs from page 9?")
        await expect(page.locator(".turn.last .actions")).to_be_visible()
        await expect(page.locator(".shown .number")).to_have_text(["5", "6"])

        await ticked(page)
        await hand.press(summary)
        await tick(page, hand, 9)
        await hand.ask(page, "And this?")
        await expect(page.locator(".turn.last .shown .number")).to_have_count(1)
        await expect(page.locator(".turn.last .actions")).to_be_visible()
        assert await seen(web, page.url.partition("#")[2]) == [[7, 8], [9]]
        await hand.press(page.locator("#open-sidebar" if hand is Hand.FINGER else "#sidebar [data-new]"))
        if hand is Hand.FINGER:
            await hand.press(page.locator("#sidebar [data-new]"))
        await expect(page.locator("#pages")).to_be_hidden()


async def test_who_ticks_nothing_names_pages_in_words(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        await Hand.MOUSE.choose(page.locator("#choose"), SENT)
        await ticked(page, 1, 2, 3, 4)
        await ask(page, "What is on page 9?")
        await expect(page.locator(".receipt")).to_contain_text("Pages looked at: 9 of 9.")
        assert await seen(web, page.url.partition("#")[2]) == [[9]]


async def test_ticks_decide_after_a_reload_and_another_conversation_too(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        await Hand.MOUSE.choose(page.locator("#choose"), SENT)
        await ticked(page, 1, 2, 3, 4)
        await sheet(page, 1).click()
        await expect(page.locator("#attached .number")).to_have_text(["2", "3", "4"])
        await page.locator("#sidebar [data-new]").click()
        await expect(page.locator("#attached .number")).to_have_count(0)
        await page.go_back()
        await ticked(page, 2, 3, 4)
        await page.reload()
        await ticked(page, 2, 3, 4)
        await ask(page, "What differs from page 9?")
        await expect(page.locator(".turn.last .actions")).to_be_visible()
        await ask(page, "And what is on page 9?")  # nothing is ticked any more
        await expect(page.locator(".turn.last .receipt")).to_contain_text("Pages looked at: 9 of 9.")
        assert await seen(web, page.url.partition("#")[2]) == [[2, 3, 4], [9]]


async def test_a_question_waits_for_ticks_and_their_refusal_is_said(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        await Hand.MOUSE.choose(page.locator("#choose"), SENT)
        await ticked(page, 1, 2, 3, 4)
        for number in (1, 2, 3, 4):
            await sheet(page, number).click()
        await sheet(page, 6).click()
        await ask(page, "What is it?")  # at once
        await expect(page.locator(".turn.last .actions")).to_be_visible()
        await expect(page.locator(".turn.last .shown .number")).to_have_text(["5"])
        here = page.url.partition("#")[2]
        assert await seen(web, here) == [[6]]
        gone: list[APIResponse] = []

        async def remove(route: Route) -> None:
            """Its document goes with the page, before the page itself can see that."""
            gone.append(await page.request.delete(f"{web.url}/api/v1/conversations/{here}/pictures/5"))
            await route.continue_()

        await page.route("**/document/chosen", remove)
        await page.locator("#pages summary").click()
        await sheet(page, 8).click()
        await expect(page.get_by_role("alert")).to_contain_text("There is no")
        await expect(page.locator("#pages")).to_be_hidden()
        assert [answer.status for answer in gone] == [204]


async def test_pages_are_not_ticked_before_the_server_has_the_question(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        await Hand.MOUSE.choose(page.locator("#choose"), SENT)
        await ticked(page, 1, 2, 3, 4)
        await page.route("**/api/v1/analyze", lambda route: route.abort())
        await ask(page, "What is it?")
        await expect(page.locator(".turn")).to_contain_text("The connection is lost.")
        await page.locator("#pages summary").click()
        await sheet(page, 5).click()
        await expect(page.get_by_role("alert")).to_contain_text("Please wait for the answers")
        await expect(sheet(page, 5)).not_to_be_checked()


async def test_who_takes_off_all_pages_takes_off_the_document(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        await Hand.MOUSE.choose(page.locator("#choose"), SENT)
        await ticked(page, 1, 2, 3, 4)
        for number in (1, 2, 3, 4):
            await expect(page.locator("#pages")).to_be_visible()
            await page.get_by_role("button", name=f"Remove picture {number}").click()
        await expect(page.locator("#pages")).to_be_hidden()


async def test_of_a_long_document_only_what_is_seen_is_drawn(browser: Browser, tmp_path: Path) -> None:
    paper = ("long.pdf", "application/pdf", pdf([""] * 500, size=(90, 120)))
    drawn: list[str] = []

    def note(request: Request) -> None:
        if "/document/pages/" in request.url:
            drawn.append(request.url.partition("/document/pages/")[2].partition("?")[0])

    async with service(tmp_path) as web, visit(browser, web.url) as page:
        page.on("request", note)
        await Hand.MOUSE.choose(page.locator("#choose"), paper)
        await expect(page.locator("#pages input")).to_have_count(500)
        await expect(page.locator("#pages img[src]").first).not_to_have_js_property("naturalWidth", 0)
        assert 4 < len(drawn) < 40
        await sheet(page, 1).focus()
        await page.keyboard.press("End")
        await expect(sheet(page, 500)).to_be_focused()
        await expect(page.locator('#pages img[data-page="500"][src]')).not_to_have_js_property("naturalWidth", 0)
        assert "500" in drawn and "250" not in drawn
        assert await page.locator('#pages input[tabindex="0"]').count() == 1  # one stop for the Tab key


async def test_a_picture_has_no_pages(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        await Hand.MOUSE.choose(page.locator("#choose"), ("red.png", "image/png", photo()))
        await expect(page.locator("#attached .number")).to_have_text(["1"])
        await expect(page.locator("#pages")).to_be_hidden()
