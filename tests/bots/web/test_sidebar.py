"""The list in a real browser: searched, renamed, pinned, and deleted with a way back; by mouse, keyboard and finger."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from core.answer import Answer, Ending
from core.conversation import Turn
from core.i18n import Translator
from tests.bots.web.browser import PHONE, UNDO_MS, hold, needs_chromium, sound, visit
from tests.bots.web.conftest import Web, service
from tests.bots.web.hand import Hand
from tests.bots.web.test_page import choose

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="session")]

HANDS: dict[Hand, dict[str, Any]] = {
    Hand.MOUSE: {"color_scheme": "dark"},
    Hand.KEYBOARD: {"locale": "zh-CN"},
    Hand.FINGER: {**PHONE, "locale": "zh-CN", "color_scheme": "dark"},
}
TITLES = ["Which colour?", "合计是多少？", "Who is the seller?"]


async def remember(web: Web) -> None:
    for number, title in enumerate(reversed(TITLES)):
        turn = Turn(title, (), Answer(f"Answer {number}: 发票" if number == 1 else "Blue.", Ending.DONE))
        await web.store.save(f"web:{number}", turn, f"key-{number}")


async def ids(web: Web) -> set[str]:
    return {known.id for known in (await web.store.summaries("web")).summaries}


@pytest.mark.parametrize("hand", HANDS)
async def test_the_list_is_searched_renamed_pinned_and_a_deletion_taken_back(
    browser: Browser, tmp_path: Path, hand: Hand
) -> None:
    look = HANDS[hand]
    say = Translator(look.get("locale")).say
    async with service(tmp_path, shared_list=True) as web:
        await remember(web)
        async with visit(browser, web.url, "/#web:2", **look) as page:
            names = page.locator("#conversations .name")
            await expect(page.locator(".turn")).to_have_count(1)
            if hand is Hand.FINGER:
                await hand.press(page.locator("#open-sidebar"))
            await expect(names).to_have_text(TITLES)
            await expect(page.locator("#conversations time").first).not_to_be_empty()

            search = page.get_by_role("searchbox")
            if hand is Hand.FINGER:
                await search.tap()
            await search.fill("发票")
            await expect(names).to_have_text(TITLES[1:2])
            await search.fill("no such words")
            await expect(page.locator("#conversations .none")).to_have_text(say("Nothing was found."))
            await sound(page)
            await search.press("Escape")
            await expect(names).to_have_text(TITLES)

            await hand.press(await hand.more(page, TITLES[2], "Pin to the top"))
            await expect(names).to_have_text([TITLES[2], *TITLES[:2]])
            await expect(page.locator("#conversations .when").first).to_have_text(say("Pinned"))
            await hand.press(await hand.more(page, TITLES[0], "Rename"))
            await page.fill("#name", "Colours")
            await sound(page)
            await hand.press(page.locator("#rename").get_by_role("button", name=say("Save")))
            await expect(names).to_have_text([TITLES[2], "Colours", TITLES[1]])
            await expect(page).to_have_title(f"Colours · {say('Picture answers')}")

            await hold(page, UNDO_MS)  # a deletion waits until the test says that its time is over
            await hand.press(await hand.more(page, "Colours", "Delete"))
            await expect(names).to_have_text([TITLES[2], TITLES[1]])
            await expect(page.locator("#welcome")).to_have_js_property("hidden", False)
            await sound(page)
            await hand.press(page.get_by_role("button", name=say("Undo")))
            await expect(names).to_have_text([TITLES[2], "Colours", TITLES[1]])
            await expect(page.locator(".turn")).to_have_count(1)
            if hand is Hand.FINGER:  # the list closed
                await hand.press(page.locator("#open-sidebar"))
            await hand.press(await hand.more(page, TITLES[1], "Delete"))  # which is not the one that is shown
            await expect(names).to_have_text([TITLES[2], "Colours"])
            await hand.press(page.get_by_role("button", name=say("Undo")))
            await expect(page.locator(".turn .words")).to_contain_text([TITLES[1]])
            assert await ids(web) == {"web:0", "web:1", "web:2"}


async def test_what_was_deleted_goes_after_a_while_with_the_next_and_with_the_page(
    browser: Browser, tmp_path: Path
) -> None:
    async with service(tmp_path, shared_list=True) as web:
        await remember(web)
        async with visit(browser, web.url) as page:
            await hold(page, UNDO_MS)
            names = page.locator("#conversations .name")
            for title, left in ((TITLES[0], TITLES[1:]), (TITLES[1], TITLES[2:])):
                await (await Hand.MOUSE.more(page, title, "Delete")).click()
                await expect(names).to_have_text(left)
            async with page.expect_response(lambda it: it.request.method == "DELETE" and it.url.endswith("1")):
                await page.evaluate("later.at(-1)()")
            await expect(page.locator("#undo")).to_be_hidden()
            while await ids(web) != {"web:0"}:  # the first deletion may be the last to arrive
                await asyncio.sleep(0.01)
            await (await Hand.MOUSE.more(page, TITLES[2], "Delete")).click()
            await page.goto("about:blank")
            while await ids(web):
                pass


async def test_the_first_picture_stands_beside_the_words(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await page.fill("#question", "What?")
        await page.press("#question", "Enter")
        small = page.locator("#conversations .thumb img")
        await expect(small).to_have_js_property("naturalWidth", 64)
