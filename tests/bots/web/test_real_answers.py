"""The page with answers of the real model's shapes: nothing is wider than the window, in the dark and on a phone."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from core.answer import Answer, Ending
from core.conversation import Picture, Turn
from tests.bots.web.browser import COPIED_MS, PHONE, hold, needs_chromium, sound, visit
from tests.bots.web.conftest import Web, service
from tests.bots.web.real_answers import CODE, HTML_TABLE, REAL_ANSWERS, THINKING
from tests.bots.web.test_page import choose
from tests.fakes import ScriptedEngine, image

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="session")]

CONVERSATION = "web:" + "0" * 32
LOOKS: dict[str, dict[str, Any]] = {
    "phone": PHONE,
    "phone in the dark": {**PHONE, "color_scheme": "dark"},
    "desktop": {},
    "desktop in the dark": {"color_scheme": "dark"},
}
TOO_WIDE = """() => {
  const scroller = document.getElementById("scroller");
  const column = document.getElementById("thread").getBoundingClientRect();
  const scrolls = (it) => it !== scroller && ["auto", "scroll"].includes(getComputedStyle(it).overflowX);
  const inside = (it) => it === scroller ? null : scrolls(it) ? it : inside(it.parentElement);
  const out = [...document.querySelectorAll("#thread *")].filter((it) => {
    const box = it.getBoundingClientRect();
    return box.width && (box.right > column.right + 1 || box.left < column.left - 1) && !inside(it.parentElement);
  });
  return [scroller.scrollWidth - scroller.clientWidth, out.map((it) => it.outerHTML.slice(0, 80))];
}"""


async def remember(web: Web, *answers: str) -> str:
    """A conversation in which these were answered; returns the path of its page."""
    for number, answer in enumerate(answers, 1):
        pictures = (Picture(1, image()),) if number == 1 else ()
        turn = Turn(f"Question {number}?", pictures, Answer(answer, Ending.DONE))
        await web.store.save(CONVERSATION, turn, f"web:key-{number}")
    return f"/#{CONVERSATION}"


@pytest.mark.parametrize("look", LOOKS)
async def test_no_answer_is_wider_than_its_column(browser: Browser, tmp_path: Path, look: str) -> None:
    async with service(tmp_path) as web:
        path = await remember(web, *REAL_ANSWERS.values())
        async with visit(browser, web.url, path, **LOOKS[look]) as page:
            await expect(page.locator(".turn")).to_have_count(len(REAL_ANSWERS))
            assert await page.evaluate(TOO_WIDE) == [0, []]


@pytest.mark.parametrize("look", ["phone", "desktop in the dark"])
async def test_code_can_be_copied_while_an_answer_grows_and_after(browser: Browser, tmp_path: Path, look: str) -> None:
    answer = "Here:\n```python\nprint(1 < 2)\n```\nand so on. " + "More words. " * 300
    endless = ScriptedEngine(script=lambda _: answer, pause=0.02, gate=asyncio.Event())
    async with (
        service(tmp_path, endless) as web,
        visit(browser, web.url, permissions=["clipboard-read", "clipboard-write"], **LOOKS[look]) as page,
    ):
        await choose(page, "red")
        await page.fill("#question", "What is the code?")
        await page.locator("#send").click()
        await expect(page.locator(".writing .prose")).to_contain_text("and so on.")
        await hold(page, COPIED_MS)
        copy = page.get_by_role("button", name="Copy the code")
        await copy.click()
        await expect(page.locator(".code use[href='#i-done']")).to_be_visible()
        assert await page.evaluate("navigator.clipboard.readText()") == "print(1 < 2)\n"
        await page.get_by_role("button", name="Stop the answer").click()
        await expect(page.locator(".actions")).to_be_visible()
        await page.evaluate("later.shift()()")
        await expect(page.locator(".code use[href='#i-copy']")).to_be_visible()
        await page.evaluate("navigator.clipboard.writeText('')")
        await copy.click()
        await expect(page.locator(".code use[href='#i-done']")).to_be_visible()
        assert await page.evaluate("navigator.clipboard.readText()") == "print(1 < 2)\n"


CLIPBOARD = """async () => {
  const [item] = await navigator.clipboard.read();
  const html = await (await item.getType("text/html")).text();
  const rows = [...new DOMParser().parseFromString(html, "text/html").querySelectorAll("tr")];
  const plain = await (await item.getType("text/plain")).text();
  return [plain, rows.map((row) => [...row.cells].map((cell) => cell.textContent)), html];
}"""
WITHOUT_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true })"
WITH_CLIPBOARD = "delete navigator.clipboard"


@pytest.mark.parametrize("secure", [True, False])
async def test_an_answer_is_copied_as_rich_text_and_as_markdown(browser: Browser, tmp_path: Path, secure: bool) -> None:
    said = "The **sizes**:\n\n| Size | Price |\n|:--|--:|\n| =1+1 | -3.49 |\n| A3 | \u200b+cmd |"
    async with service(tmp_path) as web:
        path = await remember(web, f"<think>No secret of mine.</think>\n{said}")
        async with visit(browser, web.url, path, permissions=["clipboard-read", "clipboard-write"]) as page:
            copy = page.get_by_role("button", name="Copy the answer")
            await expect(copy).to_be_visible()
            await hold(page, COPIED_MS)
            if not secure:  # as on a page without TLS
                await page.evaluate(WITHOUT_CLIPBOARD)
            await copy.click()
            await expect(copy.locator("use[href='#i-done']")).to_be_visible()
            if not secure:
                await page.evaluate(WITH_CLIPBOARD)
            plain, rows, html = await page.evaluate(CLIPBOARD)
    assert plain == said
    assert rows == [["Size", "Price"], ["'=1+1", "-3.49"], ["A3", "'\u200b+cmd"]]
    assert "<strong" in html and 'align="right"' in html
    assert "secret" not in html and "tabindex" not in html


@pytest.mark.parametrize("look", ["phone in the dark", "desktop"])
async def test_thoughts_are_folded_and_tables_and_code_are_what_they_are(
    browser: Browser, tmp_path: Path, look: str
) -> None:
    async with service(tmp_path) as web:
        path = await remember(web, THINKING, HTML_TABLE, CODE)
        async with visit(browser, web.url, path, **LOOKS[look]) as page:
            thoughts = page.locator(".thoughts")
            await expect(page.locator(".prose").first).to_contain_text("The total is 120.50 EUR")
            await expect(thoughts.locator("p").first).to_be_hidden()
            await thoughts.locator("summary").press("Enter")
            await expect(thoughts.locator("p").first).to_be_visible()
            await expect(page.locator(".prose .table td")).to_have_count(8)
            await expect(page.locator("pre .k").first).to_have_text("def")
            await sound(page)


async def test_a_screen_reader_hears_the_answer_without_its_thoughts(browser: Browser, tmp_path: Path) -> None:
    engine = ScriptedEngine(script=lambda _: "<think>\nTwo and two.\n</think>\n\nFour.\n\nAs always.")
    async with service(tmp_path, engine) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await page.fill("#question", "How many?")
        await page.locator("#send").click()
        await expect(page.locator("#announcer")).to_have_text("Answer: Four. As always.")
