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
from tests.bots.web.conftest import Web, photo, service
from tests.bots.web.hand import Hand
from tests.bots.web.test_apart import HeldEngine, look
from tests.bots.web.test_midway import held
from tests.bots.web.test_page import ask, files
from tests.fakes import ScriptedEngine

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="session")]

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


# The page's next request to `path` does not leave it before it may.
SLOW = """(path) => {
  const own = window.fetch;
  window.slow ??= {};
  const request = (window.slow[path] = { made: false });
  const may = new Promise((leave) => (request.leave = leave));
  window.fetch = async (where, options) => {
    if (request.made || !String(where).endsWith(path)) return own(where, options);
    request.made = true;
    await Promise.race([may, new Promise((_, end) => options.signal?.addEventListener("abort", end))]);
    return own(where, options);
  };
}"""


@dataclass(frozen=True)
class Slow:
    """A request that the page has made, and that reaches the server when it may."""

    page: Page
    path: str

    async def wait(self) -> None:
        await self.page.wait_for_function("(path) => window.slow[path].made", arg=self.path, timeout=PATIENCE_MS)

    async def leave(self) -> None:
        await self.page.evaluate("(path) => window.slow[path].leave()", self.path)


async def slow(page: Page, path: str) -> Slow:
    """The next request to `path`."""
    await page.evaluate(SLOW, path)
    return Slow(page, path)


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


async def test_a_link_that_is_asked_for_while_sharing_ends_opens_the_conversation(
    browser: Browser, tmp_path: Path
) -> None:
    async with two(browser, tmp_path) as (web, page, first, _):
        await pick(page, "First?", "Share by a link")
        link = page.locator("#link")
        await expect(link).to_be_visible()
        ended = await slow(page, f"{read(first)}/link")
        await page.get_by_role("button", name="Stop sharing").click()
        await ended.wait()
        await pick(page, "First?", "Share by a link")
        await page.evaluate(DRAWN)
        async with page.expect_response(lambda it: it.request.method == "DELETE"):
            await ended.leave()
        await expect(link).to_be_visible()
        assert (await web.client.get(await link.input_value())).status_code == 200


async def test_settings_that_come_late_do_not_open_again_as_they_were(browser: Browser, tmp_path: Path) -> None:
    async with two(browser, tmp_path) as (_, page, first, _):
        panel = page.locator("#settings")
        early = await late(page, f"{read(first)}/settings")
        await page.locator("#open-settings").click()
        await early.wait()
        await page.locator("#open-settings").click()
        await page.fill("#language", "German")
        await page.get_by_role("button", name="Save").click()
        await expect(panel).to_be_hidden()
        await early.come()
        await expect(panel).to_be_hidden()


async def test_settings_that_were_saved_last_are_kept(browser: Browser, tmp_path: Path) -> None:
    async with two(browser, tmp_path) as (web, page, first, _):
        panel, save = page.locator("#settings"), page.get_by_role("button", name="Save")
        await page.locator("#open-settings").click()
        await page.fill("#language", "German")
        earlier = await slow(page, f"{read(first)}/settings")
        await save.click()
        await earlier.wait()
        await page.fill("#language", "French")
        await save.click()
        await page.evaluate(DRAWN)
        async with page.expect_response(lambda it: "German" in (it.request.post_data or "")):
            await earlier.leave()
        await expect(panel).to_be_hidden()
        assert (await web.store.settings(first)).language == "French"


async def test_settings_that_are_saved_twice_do_not_close_when_they_are_open_again(
    browser: Browser, tmp_path: Path
) -> None:
    async with two(browser, tmp_path) as (_, page, first, _):
        panel, sent = page.locator("#settings"), list[str]()
        page.on("request", lambda it: sent.append(it.url) if it.method == "PUT" else None)
        await page.locator("#open-settings").click()
        await page.fill("#language", "German")
        saved = await late(page, f"{read(first)}/settings")
        await page.get_by_role("button", name="Save").dblclick()
        await saved.wait()
        await page.keyboard.press("Escape")
        await page.locator("#open-settings").click()
        await saved.come()
        await page.fill("#instructions", "More")
        await expect(panel).to_be_visible()
        await expect(page.locator("#language")).to_have_value("German")
        assert len(sent) == 1


async def test_settings_of_new_conversations_are_not_given_to_the_one_that_is_opened_meanwhile(
    browser: Browser, tmp_path: Path
) -> None:
    async with two(browser, tmp_path) as (web, page, first, _):
        await page.locator("#sidebar [data-new]").click()
        await expect(page.locator("#welcome")).to_be_visible()
        sent = await slow(page, "/pictures")
        await page.set_input_files("#files", files("green"))  # type: ignore[arg-type]
        await sent.wait()
        await page.locator("#open-settings").click()
        await page.fill("#language", "German")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator("#settings")).to_be_hidden()
        await press(page, "First?")
        await expect(page.locator(".words")).to_contain_text("First?")
        async with page.expect_response(lambda it: it.url.endswith("/settings")) as answer:
            await sent.leave()
        assert first not in (await answer.value).url.replace("%3A", ":")
        assert (await web.store.settings(first)).language == ""


async def test_the_name_that_was_given_last_is_kept(browser: Browser, tmp_path: Path) -> None:
    async with two(browser, tmp_path) as (_, page, first, _):
        earlier = await slow(page, read(first))
        for name in ("Earlier", "Later"):
            await pick(page, "First?", "Rename")
            await page.fill("#name", name)
            await page.press("#name", "Enter")
            await earlier.wait()
        await page.evaluate(DRAWN)
        async with page.expect_response(lambda it: "Later" in (it.request.post_data or "")):
            await earlier.leave()
        await expect(page.locator("#conversations .name")).to_have_text(["Other?", "Later"])


async def test_a_sample_that_is_pressed_twice_is_asked_about_once(browser: Browser, tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with service(tmp_path, engine) as web, visit(browser, web.url) as page:
        sent = list[str]()
        page.on("request", lambda it: sent.append(it.url) if it.url.endswith("/pictures") else None)
        sample = page.locator("[data-sample]").first
        fetched = await late(page, await sample.get_attribute("data-sample") or "")
        await sample.click()
        await fetched.wait()
        await sample.click()
        await page.evaluate(DRAWN)
        await fetched.come()
        await expect(page.locator(".actions")).to_have_count(1)
        assert len(sent) == len(engine.asked) == 1


async def test_a_sample_that_does_not_come_says_so(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        await page.route("**/samples/*", lambda route: route.abort())
        await page.locator("[data-sample]").first.click()
        await expect(page.get_by_role("alert")).to_have_text("There is no connection. Please try again.")
        await page.unroute("**/samples/*")
        await page.locator("[data-sample]").first.click()
        await expect(page.locator(".actions")).to_be_visible()


async def test_small_print_that_is_asked_for_twice_is_read_once(browser: Browser, tmp_path: Path) -> None:
    engine = HeldEngine()
    engine.go.set()
    async with service(tmp_path, engine) as web, visit(browser, web.url) as page:
        large = {"name": "large.png", "mimeType": "image/png", "buffer": photo("white", (2400, 2400))}
        await page.set_input_files("#files", large)  # type: ignore[arg-type]
        await ask(page, "First?")
        small_print = page.get_by_role("button", name="Read the small print").first
        await expect(small_print).to_be_visible()
        engine.go.clear()
        for _ in range(2):
            await small_print.press("Enter")
        await expect(page.locator(".writing .prose")).to_have_text("So far")
        await expect(page.locator(".turn")).to_have_count(2)
        engine.go.set()
        await expect(page.locator(".actions")).to_have_count(2)
