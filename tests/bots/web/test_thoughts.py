"""What a Thinking model thinks before its answer: folded on the page while it grows, and nowhere else."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.bots.web.browser import needs_chromium, sound, visit
from tests.bots.web.conftest import events_of, service
from tests.bots.web.test_page import ask, choose
from tests.fakes import ScriptedEngine

THOUGHT, SAID = "Two and two. ", "As always. "
ANSWER = f"<think>\nAdd up: {THOUGHT * 150}\n</think>\n\n**Four.** {SAID * 300}"


@needs_chromium
@pytest.mark.asyncio(loop_scope="session")
async def test_thoughts_are_folded_while_they_grow_and_stay_as_the_reader_left_them(
    browser: Browser, tmp_path: Path
) -> None:
    engine = ScriptedEngine(script=lambda _: ANSWER, pause=0.02, gate=asyncio.Event())
    async with service(tmp_path, engine) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await ask(page, "How many?")
        summary, thought = page.locator(".writing .thoughts summary"), page.locator(".thoughts p")
        await expect(summary).to_have_text("Thinking …")
        await expect(thought).to_be_hidden()
        await page.reload()  # who comes later gets them from their beginning
        await expect(thought).to_contain_text("Add up:")
        await expect(thought).to_be_hidden()
        await summary.press("Enter")
        await expect(thought).to_be_visible()
        await expect(thought).to_contain_text(THOUGHT * 60)
        await sound(page)
        await expect(page.locator(".writing .prose > p")).to_contain_text("Four.")
        await expect(summary).to_have_text("What the model thought")
        await expect(summary).to_be_focused()
        await expect(thought).to_be_visible()
        await page.get_by_role("button", name="Stop the answer").click()
        await expect(page.locator(".actions")).to_be_visible()
        await expect(thought).to_be_visible()
        await expect(page.locator("#announcer")).to_contain_text("Four.")
        assert "Two and two" not in await page.locator("#announcer").inner_text()
        await page.reload()
        await expect(page.locator(".thoughts summary")).to_have_text("What the model thought")
        await expect(thought).to_be_hidden()


@needs_chromium
@pytest.mark.asyncio(loop_scope="session")
async def test_thoughts_whose_beginning_a_template_wrote_are_folded_once_they_end(
    browser: Browser, tmp_path: Path
) -> None:
    engine = ScriptedEngine(script=lambda _: ANSWER.removeprefix("<think>\n"), pause=0.02, gate=asyncio.Event())
    async with service(tmp_path, engine) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await ask(page, "How many?")
        await expect(page.locator(".writing .prose > p")).to_contain_text("Add up:")
        summary, thought = page.locator(".writing .thoughts summary"), page.locator(".thoughts p")
        await expect(summary).to_have_text("What the model thought")
        await expect(thought).to_be_hidden()
        await expect(page.locator(".writing .prose > p")).to_contain_text("Four.")
        assert "Add up" not in await page.locator(".writing .prose > p").inner_text()
        await page.reload()  # who comes later too
        await expect(page.locator(".prose > p")).to_contain_text("Four.")
        await expect(thought).to_contain_text("Add up:")
        await expect(thought).to_be_hidden()
        await page.get_by_role("button", name="Stop the answer").click()
        await expect(page.locator(".actions")).to_be_visible()
        await expect(thought).to_be_hidden()


async def test_programs_are_told_to_drop_what_turned_out_to_be_thoughts(tmp_path: Path) -> None:
    async with service(tmp_path, ScriptedEngine(script=lambda _: "Add.\n</think>\n\nFour.")) as web:
        told = events_of(await web.ask("How many?", "red", stream="true"))
    names = [name for name, _ in told]
    after = told[names.index("again") + 1 :] if "again" in names else told
    assert "".join(data["text"] for name, data in after if name == "piece") == "Four."
    assert told[-1][1]["text"] == "Four."


async def test_programs_get_no_thoughts_in_the_pieces_of_an_answer(tmp_path: Path) -> None:
    async with service(tmp_path, ScriptedEngine(script=lambda _: "<think>\nAdd.\n</think>\n\nFour.")) as web:
        told = events_of(await web.ask("How many?", "red", stream="true"))
    assert "".join(data["text"] for name, data in told if name == "piece") == "Four."
    assert told[-1][1]["text"] == "Four." and "Add." not in told[-1][1]["text"]
    assert {name for name, _ in told} <= {"conversation", "waiting", "looking", "piece", "done"}
