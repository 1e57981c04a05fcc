"""The page when what its reader does overtakes an answer of the server that is on its way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, Page, Route, expect

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


@dataclass
class Late:
    """An answer that the server has written, and that reaches the page when it may."""

    written: asyncio.Event = field(default_factory=asyncio.Event)
    may_come: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self) -> None:
        async with asyncio.timeout(PATIENCE_MS / 1000):
            await self.written.wait()


async def late(page: Page, path: str) -> Late:
    """The next answer to a request of `path`."""
    answer = Late()

    async def hold(route: Route) -> None:
        response = await route.fetch()
        answer.written.set()
        await answer.may_come.wait()
        await route.fulfill(response=response)

    await page.route(f"**{path}", hold, times=1)
    return answer


async def comes(page: Page, path: str, answer: Late) -> None:
    """Let it come, and the page draw what it makes of it."""
    async with page.expect_event("requestfinished", lambda request: request.url.endswith(path)):
        answer.may_come.set()
    await page.evaluate(DRAWN)


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
        await comes(page, read(first), fetched)
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
        await comes(page, read(other), fetched)
        await expect(page.locator(".words")).to_contain_text("First?")
        assert page.url.endswith(first)


async def test_a_conversation_deleted_while_it_is_opened_is_not_shown(browser: Browser, tmp_path: Path) -> None:
    async with two(browser, tmp_path) as (_, page, _, other):
        await hold(page, UNDO_MS)
        fetched = await late(page, read(other))
        await press(page, "Other?")
        await fetched.wait()
        await pick(page, "Other?", "Delete")
        await comes(page, read(other), fetched)
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
        opened.may_come.set()
        await expect(page.locator(".words")).to_contain_text("Other?")
        await comes(page, read(first), fetched)
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
        fetched.may_come.set()
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
        await comes(page, f"{read(first)}/link", made)
        await expect(link).to_have_value(shown)
