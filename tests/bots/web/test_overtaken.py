"""The page when what its reader does overtakes an answer of the server that is on its way."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, Page, expect

from storage.store import StoreConfig
from tests.bots.web.browser import PATIENCE_MS, UNDO_MS, hold, needs_chromium, visit
from tests.bots.web.conftest import Web, service
from tests.bots.web.hand import Hand
from tests.bots.web.test_apart import HeldEngine, look
from tests.bots.web.test_midway import held
from tests.bots.web.test_page import ask
from tests.fakes import ScriptedEngine

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="module")]

DRAWN = "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"


# The page's next answer to a request of `path` has come, and waits. Requests that Playwright holds and then fulfils
# were sometimes never said to be finished.
LATE = """(path) => {
  const own = window.fetch;
  window.late ??= {};
  const answer = (window.late[path] = { written: false });
  const may = new Promise((come) => (answer.come = come));
  let taken = false;
  window.fetch = async (where, options) => {
    const response = await own(where, options);
    if (taken || !String(where).endsWith(path)) return response;
    taken = true;
    const whole = new Response(await response.blob(), response);
    answer.written = true;
    await may;
    return whole;
  };
}"""


@dataclass(frozen=True)
class Late:
    """An answer that the server has written, and that the page gets when it may."""

    page: Page
    path: str

    async def wait(self) -> None:
        await self.page.wait_for_function("(path) => window.late[path].written", arg=self.path, timeout=PATIENCE_MS)

    async def come(self) -> None:
        """Let it come, and the page draw what it makes of it."""
        await self.page.evaluate("(path) => window.late[path].come()", self.path)
        await self.page.evaluate(DRAWN)


async def late(page: Page, path: str) -> Late:
    """The next answer to a request of `path`."""
    await page.evaluate(LATE, path)
    return Late(page, path)


def read(conversation: str) -> str:
    return f"/conversations/{quote(conversation, safe='')}"


@asynccontextmanager
async def two(
    browser: Browser, folder: Path, engine: ScriptedEngine | None = None
) -> AsyncIterator[tuple[Web, Page, str, str]]:
    """Two answered conversations, "First?" and "Other?", of which the first is shown."""
    storage = StoreConfig(ratings=True)
    async with service(folder, engine, storage=storage, shared_list=True) as web:
        first = await web.begin()
        other: str = (await web.ask("Other?", "blue")).json()["conversation"]
        async with visit(browser, web.url, f"/#{first}") as page:
            await expect(page.locator(".actions")).to_be_visible()
            await expect(page.locator("#conversations .entry")).to_have_count(2)
            yield web, page, first, other


async def press(page: Page, title: str) -> None:
    await page.locator("#conversations .entry").filter(has_text=title).locator(".open").click()


async def pick(page: Page, title: str, choice: str) -> None:
    """In the menu of a conversation in the list."""
    await (await Hand.MOUSE.more(page, title, choice)).click()


async def test_a_rating_given_while_the_conversation_is_fetched_stays(browser: Browser, tmp_path: Path) -> None:
    async with two(browser, tmp_path) as (web, page, first, _):
        good = page.get_by_role("button", name="A good answer").first
        await web.ask("From a telephone?", conversation=first)
        fetched = await late(page, read(first))
        await look(page)
        await fetched.wait()
        await good.click()
        await expect(good).to_have_attribute("aria-pressed", "true")
        await fetched.come()
        await look(page)
        await expect(page.locator(".turn")).to_have_count(2)
        await expect(good).to_have_attribute("aria-pressed", "true")


async def test_a_rating_on_its_way_is_shown_on_an_answer_that_is_drawn_anew(browser: Browser, tmp_path: Path) -> None:
    async with two(browser, tmp_path) as (_, page, _, _):
        good = page.get_by_role("button", name="A good answer").first
        async with page.expect_response("**/rating"), held(page, "/turns/1/rating"):
            async with page.expect_request("**/rating"):
                await good.click()
            await press(page, "Other?")
            await expect(page.locator(".words")).to_contain_text("Other?")
            await press(page, "First?")
            await expect(page.locator(".words")).to_contain_text("First?")
            await expect(good).to_have_attribute("aria-pressed", "false")
        await expect(good).to_have_attribute("aria-pressed", "true")


async def test_a_rating_given_elsewhere_meanwhile_is_not_drawn_on_another_conversation(
    browser: Browser, tmp_path: Path
) -> None:
    async with two(browser, tmp_path) as (_, page, _, _):
        good = page.get_by_role("button", name="A good answer")
        async with page.expect_response("**/rating"), held(page, "/turns/1/rating"):
            await good.click()
            await press(page, "Other?")
            await expect(page.locator(".words")).to_contain_text("Other?")
        await page.evaluate(DRAWN)
        await expect(good).to_have_attribute("aria-pressed", "false")


async def test_who_presses_the_conversation_that_is_shown_stays_there(browser: Browser, tmp_path: Path) -> None:
    async with two(browser, tmp_path) as (_, page, first, other):
        fetched = await late(page, read(other))
        await press(page, "Other?")
        await fetched.wait()
        await press(page, "First?")
        await fetched.come()
        await expect(page.locator(".words")).to_contain_text("First?")
        assert page.url.endswith(first)


async def test_a_conversation_deleted_while_it_is_opened_is_not_shown(browser: Browser, tmp_path: Path) -> None:
    async with two(browser, tmp_path) as (_, page, _, other):
        await hold(page, UNDO_MS)
        fetched = await late(page, read(other))
        await press(page, "Other?")
        await fetched.wait()
        await pick(page, "Other?", "Delete")
        await fetched.come()
        await expect(page.locator("#welcome")).to_be_visible()
        await expect(page.locator(".turn")).to_have_count(0)


async def test_what_was_fetched_of_one_conversation_is_not_drawn_in_another(browser: Browser, tmp_path: Path) -> None:
    async with two(browser, tmp_path) as (web, page, first, other):
        await web.ask("From a telephone?", conversation=first)
        opened, fetched = await late(page, read(other)), await late(page, read(first))
        await press(page, "Other?")
        await opened.wait()
        await look(page)
        await fetched.wait()
        await opened.come()
        await expect(page.locator(".words")).to_contain_text("Other?")
        await fetched.come()
        # At once: the page would mend it when it looks again.
        assert await page.locator(".words").all_text_contents() == ["You asked: Other?"]


async def test_another_conversation_is_opened_though_the_next_question_in_line_is_asked_meanwhile(
    browser: Browser, tmp_path: Path
) -> None:
    engine = HeldEngine()
    engine.go.set()
    async with two(browser, tmp_path, engine) as (_, page, _, other):
        engine.go.clear()
        await ask(page, "Second?")
        await expect(page.locator(".writing .prose")).to_have_text("So far")
        await ask(page, "Third?")
        await expect(page.locator(".turn:has(.waiting)")).to_have_count(1)
        fetched = await late(page, read(other))
        await press(page, "Other?")
        await fetched.wait()
        async with page.expect_request("**/analyze"):  # of the third
            engine.go.set()
        await expect(page.locator(".waiting")).to_have_count(0)
        await fetched.come()
        await expect(page.locator(".words")).to_have_text(["You asked: Other?"])


async def test_the_link_that_was_asked_for_last_is_shown(browser: Browser, tmp_path: Path) -> None:
    async with two(browser, tmp_path) as (_, page, first, _):
        made = await late(page, f"{read(first)}/link")
        await pick(page, "First?", "Share by a link")
        await made.wait()
        await pick(page, "Other?", "Share by a link")
        link = page.locator("#link")
        await expect(link).to_be_visible()
        shown = await link.input_value()
        await made.come()
        await expect(link).to_have_value(shown)
