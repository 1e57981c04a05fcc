"""What somebody has in hand on the page is not taken away: their words, their place, their selection, their paper."""

import asyncio
from pathlib import Path

import pypdfium2
import pytest
from playwright.async_api import Browser, Page, expect

from tests.bots.web.browser import PHONE, becomes, needs_chromium, shows, visit
from tests.bots.web.conftest import service, until
from tests.bots.web.hand import Hand
from tests.bots.web.real_answers import LONG
from tests.bots.web.test_page import ask, choose
from tests.bots.web.test_real_answers import remember
from tests.fakes import ScriptedEngine

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="session")]
TOKEN = "a-token-for-the-tests"
ENDLESS = "The first words stay. " + "and more " * 2000
SELECT = """() => {
  const text = document.querySelector(".writing .prose").firstElementChild.firstChild;
  getSelection().setBaseAndExtent(text, 4, text, 15);
}"""


async def test_typed_words_survive_a_reload_and_are_gone_once_they_are_asked(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await page.locator("#question").press_sequentially("What is ")
        await page.reload()
        await expect(page.locator("#question")).to_have_value("What is ")
        await expect(page.locator("#send")).to_be_enabled()  # the conversation is there, too
        await page.locator("#question").press("End")
        await page.locator("#question").press_sequentially("it?\n")
        await expect(page.locator(".prose")).to_have_text("Answer to 'What is it?' about [1] after 0 turns.")
        await page.reload()
        await expect(page.locator(".prose")).to_be_visible()
        await expect(page.locator("#question")).to_have_value("")


async def sign_in(page: Page) -> None:
    await page.get_by_label("Token").fill(TOKEN)
    await page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("end", ["asking", "reloading"])
async def test_typed_words_and_the_conversation_are_there_again_after_the_session_ended(
    browser: Browser, tmp_path: Path, end: str
) -> None:
    async with service(tmp_path, token=TOKEN) as web, visit(browser, web.url) as page:
        await sign_in(page)
        await expect(page.locator("#question")).to_be_focused()
        await choose(page, "red")
        await ask(page, "First?")
        await expect(page.locator(".actions")).to_be_visible()
        await page.locator("#question").press_sequentially("And the second?")
        await page.context.clear_cookies(name="session")
        if end == "asking":
            await page.locator("#question").press("Enter")
        else:
            await page.reload()
        await page.get_by_label("Token").fill("wrong")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("alert")).to_have_text("This is not the token.")
        await sign_in(page)
        if end == "reloading":
            await shows(page.locator(".asked .words"), "First?")
            await expect(page.locator("#question")).to_have_value("And the second?")
            await page.locator("#question").press("Enter")
        await expect(page.locator(".prose").last).to_contain_text("Answer to 'And the second?'")
        await shows(page.locator(".asked .words"), "First?", "And the second?")
        await expect(page.locator("#question")).to_have_value("")


async def test_who_signs_out_leaves_no_typed_words_behind(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path, token=TOKEN) as web, visit(browser, web.url) as page:
        await sign_in(page)
        await page.locator("#question").press_sequentially("A secret")
        await page.get_by_role("button", name="Sign out").click()
        await sign_in(page)
        await expect(page.locator("#question")).to_be_focused()
        await expect(page.locator("#question")).to_have_value("")


async def test_what_is_selected_stays_selected_while_the_answer_grows(browser: Browser, tmp_path: Path) -> None:
    engine = ScriptedEngine(script=lambda _: ENDLESS, pause=0.02, gate=asyncio.Event())
    async with service(tmp_path, engine) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await ask(page, "Count")
        await expect(page.locator(".writing .prose")).to_contain_text("stay.")
        await page.evaluate(SELECT)
        length = "document.querySelector('.writing .prose').textContent.length"
        before = await page.evaluate(length)
        while await page.evaluate(length) < before + 100:  # several more renderings
            await asyncio.sleep(0.1)
        assert await page.evaluate("getSelection().toString()") == "first words"
        await page.keyboard.press("Escape")
        await expect(page.locator(".note")).to_have_text("(stopped)")
        assert await page.evaluate("getSelection().toString()") == "first words"


# Much comes between the scrolling to the end and the page's being told of it.
GROW = """() => new Promise((done) => {
  const scroller = document.getElementById("scroller");
  const add = () => {
    const tall = document.createElement("div");
    tall.style.height = "600px";
    document.getElementById("thread").append(tall);
  };
  scroller.addEventListener("scroll", add, { capture: true, once: true });
  scroller.addEventListener("scroll", () => requestAnimationFrame(() => requestAnimationFrame(done)), { once: true });
  add();
})"""
LEFT = "scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop"


async def test_who_reads_at_the_end_stays_there_when_much_comes_at_once(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path) as web:
        path = await remember(web, LONG)
        async with visit(browser, web.url, path) as page:
            await expect(page.locator(".turn")).to_have_count(1)
            await becomes(page, f"scroller.scrollTop > 0 && {LEFT} < 2")
            await page.evaluate(GROW)
            await becomes(page, f"{LEFT} < 2")
            await page.mouse.move(600, 300)
            await page.mouse.wheel(0, -900)  # who scrolls up stays there
            await becomes(page, f"{LEFT} > 500")
            left = await page.evaluate(LEFT)
            await page.evaluate("document.getElementById('thread').append(document.createElement('hr'))")
            assert await page.evaluate(f"new Promise((then) => setTimeout(() => then({LEFT}), 100))") >= left


async def test_escape_stops_an_answer_but_first_closes_what_lies_over_it(browser: Browser, tmp_path: Path) -> None:
    engine = ScriptedEngine(script=lambda _: ENDLESS, pause=0.02, gate=asyncio.Event())
    async with service(tmp_path, engine) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await ask(page, "Count")
        await expect(page.locator(".writing .prose")).to_contain_text("stay.")
        await page.locator(".shown .view").click()
        await page.keyboard.press("Escape")
        await expect(page.locator("#viewer")).to_be_hidden()
        assert engine.running == 1
        await page.keyboard.press("Escape")
        await expect(page.locator(".note")).to_have_text("(stopped)")
        await until(lambda: engine.cancelled == 1)


@pytest.mark.parametrize("hand", Hand)
async def test_the_focus_has_a_place_after_everything_that_takes_its_own_away(
    browser: Browser, tmp_path: Path, hand: Hand
) -> None:
    """Sending, stopping, answering again, trying again, deleting: `visit` watches that none leaves it on the body."""
    script = {"Fail": RuntimeError("no")}
    gate = asyncio.Event()  # no answer ends before it is stopped
    engine = ScriptedEngine(lambda conversation: script.pop(conversation.turns[-1].text, ENDLESS), 0.01, gate)
    look = PHONE if hand is Hand.FINGER else {}
    async with service(tmp_path, engine) as web, visit(browser, web.url, **look) as page:
        await hand.press(page.locator("[data-sample]").first)
        stop = page.get_by_role("button", name="Stop the answer")
        note = page.locator(".note")
        await hand.press(stop)
        await expect(note).to_have_count(1)
        await hand.press(page.get_by_role("button", name="Answer again"))
        await hand.press(stop)
        await expect(note).to_have_count(1)
        await hand.ask(page, "Fail")
        await hand.press(page.get_by_role("button", name="Try again"))
        await expect(page.locator(".writing .prose")).to_contain_text("stay.")
        await hand.press(stop)
        await expect(note).to_have_count(2)
        for question in ("Second?", "Third?"):
            if hand is Hand.FINGER:
                await hand.press(page.locator(".bar [data-new]"))
            else:
                await hand.press(page.locator("#sidebar [data-new]"))
            await expect(page.locator("#welcome")).to_be_visible()
            await choose(page, "red")
            await hand.ask(page, question)
            await hand.press(stop)
            await expect(note).to_have_count(1)
        if hand is Hand.FINGER:
            await hand.press(page.locator("#open-sidebar"))
        await expect(page.locator("#conversations .entry")).to_have_count(3)
        for title, left in (("Second?", 2), ("Third?", 1)):
            await hand.press(await hand.more(page, title, "Delete"))
            await expect(page.locator("#conversations .entry")).to_have_count(left)
        await page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")


async def test_a_list_that_is_drawn_anew_keeps_the_focus_on_the_same_entry(browser: Browser, tmp_path: Path) -> None:
    engine = ScriptedEngine(gate=asyncio.Event())
    async with service(tmp_path, engine) as web:
        path = await remember(web, "One.")
        async with visit(browser, web.url, path) as page:
            await expect(page.locator(".turn")).to_have_count(1)
            entry = page.get_by_title("Question 1?", exact=True)  # its name also says while it is being answered
            async with page.expect_response("**/conversations?after=*"):  # waits from here on, also if it comes early
                await ask(page, "More?")
                await entry.focus()
                assert engine.gate
                engine.gate.set()
            await expect(page.locator(".actions")).to_have_count(2)
            await expect(entry).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_whole_conversation_is_printed(browser: Browser, tmp_path: Path, scheme: str) -> None:
    async with service(tmp_path) as web:
        path = await remember(web, "The very beginning.", LONG, "The very end.")
        async with visit(browser, web.url, path, color_scheme=scheme) as page:
            await expect(page.locator(".turn")).to_have_count(3)
            printed = pypdfium2.PdfDocument(await page.pdf(print_background=True))
            text = "".join(leaf.get_textpage().get_text_bounded() for leaf in printed)
            for words in ("Question 1?", "The very beginning.", "Paragraph 51.", "The very end."):
                assert words in text
            assert "New conversation" not in text
            assert len(printed) > 5
            paper = printed[0].render(scale=0.2).to_pil().convert("L")
            assert paper.getpixel((2, 2)) == 255
