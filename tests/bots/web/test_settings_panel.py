"""The settings panel in a real browser: by mouse, keyboard and finger, in English and Chinese."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route, expect

from core.i18n import Translator
from core.settings import INSTRUCTION_CHARACTERS, ConversationSettings, Length
from tests.bots.web.browser import needs_chromium, sound, visit
from tests.bots.web.conftest import KEY, service
from tests.bots.web.hand import LOOKS, Hand
from tests.bots.web.test_page import ask, choose

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="session")]


async def opened(page: Page, hand: Hand = Hand.MOUSE) -> None:
    if hand is Hand.FINGER and not await page.locator("#sidebar").is_visible():
        await hand.press(page.locator("#open-sidebar"))
    await hand.press(page.locator("#open-settings"))
    await expect(page.locator("#settings")).to_be_visible()


@pytest.mark.parametrize("hand", LOOKS)
async def test_a_conversation_is_set_and_what_is_wrong_or_unsaved_stays(
    browser: Browser, tmp_path: Path, hand: Hand
) -> None:
    look = LOOKS[hand]
    say = Translator(look.get("locale")).say
    async with service(tmp_path, shared_list=True) as web:
        conversation = await web.begin()
        async with visit(browser, web.url, f"/#{conversation}", **look) as page:
            await expect(page.locator(".turn")).to_have_count(1)
            panel, words = page.locator("#settings"), page.get_by_label(say("Instructions"), exact=True)
            save = panel.get_by_role("button", name=say("Save"))
            await opened(page, hand)
            await expect(page.locator("#settings-title")).to_have_text(say("How I answer in this conversation"))
            long = "😀" * INSTRUCTION_CHARACTERS + "!"
            await words.fill(long)
            await hand.press(save)
            limit = say("Instructions may have at most {limit} characters.", limit=INSTRUCTION_CHARACTERS)
            await expect(words).to_have_accessible_description(f"1001 / 1000 {limit}")
            await expect(words).to_be_focused()
            await sound(page)

            await page.keyboard.press("Escape")
            await expect(panel).to_be_hidden()
            await expect(page.locator("#open-settings")).to_be_focused()
            await opened(page, hand)
            await expect(words).to_have_value(long)
            await hand.press(page.locator("#discard-settings"))
            await opened(page, hand)
            await expect(words).to_have_value("")

            await words.fill("Sell bikes.\nBe friendly.")
            await page.get_by_label(say("Length of the answers")).select_option(say("short"))
            await page.get_by_label(say("Keep questions and answers")).select_option("false")
            await hand.press(save)
            await expect(panel).to_be_hidden()
            wanted = ConversationSettings("Sell bikes.\nBe friendly.", length=Length.SHORT, keep=False)
            assert await web.store.settings(conversation) == wanted
            await page.reload()
            await opened(page, hand)
            await expect(words).to_have_value(wanted.instructions)
            await expect(page.locator("#setting-keep")).to_have_value("false")


async def test_a_new_conversation_begins_with_them_and_an_unkept_answer_stays_in_sight(
    browser: Browser, tmp_path: Path
) -> None:
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        await opened(page)
        await expect(page.locator("#settings-title")).to_have_text("New conversations in this browser")
        await page.fill("#language", "German")
        await page.select_option("#setting-keep", "false")
        await page.press("#language", "Enter")
        await expect(page.locator("#settings")).to_be_hidden()
        await choose(page, "red")
        conversation = page.url.partition("#")[2]
        assert await web.store.settings(conversation) == ConversationSettings(language="German", keep=False)
        async with page.expect_response("**/api/v1/conversations?*"):
            await ask(page, "What?")
            await expect(page.get_by_role("button", name="Copy the answer")).to_be_visible()
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await expect(page.locator(".answered .prose")).to_be_visible()
        await expect(page.get_by_role("button", name="Answer again")).to_have_count(0)


async def test_what_is_saved_while_a_first_picture_is_on_its_way_counts_for_its_conversation(
    browser: Browser, tmp_path: Path
) -> None:
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        sent, arrived = asyncio.Event(), asyncio.Event()

        async def late(route: Route) -> None:
            sent.set()
            await arrived.wait()
            await route.continue_()

        await page.route("**/api/v1/pictures", late)
        choosing = asyncio.create_task(choose(page, "red"))
        await sent.wait()
        await opened(page)
        await page.fill("#language", "German")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator("#settings")).to_be_hidden()
        async with page.expect_response(lambda answer: answer.url.endswith("/settings") and answer.ok):
            arrived.set()
            await choosing
        assert (await web.store.settings(page.url.partition("#")[2])).language == "German"


async def test_signing_out_takes_them_along(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path, token=KEY) as web, visit(browser, web.url, "/login") as page:
        await page.fill("input[name=token]", KEY)
        await page.press("input[name=token]", "Enter")
        await expect(page.locator("#conversations .none")).to_be_visible()  # the page has begun
        await opened(page)
        await page.fill("#language", "German")
        await page.get_by_role("button", name="Save").click()
        await opened(page)
        await page.fill("#instructions", "A draft")
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Sign out").click()
        await page.wait_for_url("**/login")
        assert await page.evaluate("localStorage.length + sessionStorage.length") == 0
