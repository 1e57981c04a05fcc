"""The page when somebody goes away, changes their mind or meets an error while something is on its way."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.bots.web.browser import needs_chromium, visit
from tests.bots.web.conftest import Web, service
from tests.bots.web.test_list import write_conversations
from tests.bots.web.test_page import ask, choose, files
from tests.fakes import ScriptedEngine

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="session")]


@asynccontextmanager
async def held(page: Page, path: str) -> AsyncIterator[None]:
    """Requests to `path` are on their way until this ends."""
    arrive = asyncio.Event()

    async def hold(route: Route) -> None:
        await arrive.wait()
        await route.continue_()

    await page.route(f"**{path}", hold)
    yield
    arrive.set()


async def waiting(web: Web, conversation: str) -> list[int]:
    read = (await web.client.get(f"/api/v1/conversations/{conversation}")).json()
    return [picture["number"] for picture in read["waiting"]]


async def test_a_picture_stays_in_the_conversation_it_was_chosen_in(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path, shared_list=True) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await ask(page, "First?")
        await expect(page.locator(".answered .prose")).to_be_visible()
        first = page.url.partition("#")[2]
        async with page.expect_response("**/api/v1/pictures"), held(page, "/api/v1/pictures"):
            await page.set_input_files("#files", files("blue"))  # type: ignore[arg-type]
            await ask(page, "Of the blue one?")
            await page.locator("#sidebar [data-new]").click()
            await expect(page.locator("#welcome")).to_be_visible()
        assert await waiting(web, first) == [2]
        assert "#" not in page.url
        await choose(page, "green")
        await ask(page, "Second?")
        await expect(page.locator(".answered .prose")).to_have_text("Answer to 'Second?' about [1] after 0 turns.")
        assert page.url.partition("#")[2] != first


async def test_a_picture_that_is_not_wanted_any_more_does_not_stay_on_the_server(
    browser: Browser, tmp_path: Path
) -> None:
    async with service(tmp_path, shared_list=True) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        async with held(page, "/api/v1/pictures"):
            await page.set_input_files("#files", files("blue"))  # type: ignore[arg-type]
            await page.get_by_role("button", name="Remove this picture").click()
        async with page.expect_response(lambda response: response.request.method == "DELETE"):
            pass
        assert await waiting(web, page.url.partition("#")[2]) == [1]


async def test_a_question_waits_for_its_picture_and_stays_when_that_is_refused(
    browser: Browser, tmp_path: Path
) -> None:
    engine = ScriptedEngine()
    async with service(tmp_path, engine) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await ask(page, "First?")
        await expect(page.locator(".answered .prose")).to_be_visible()
        async with held(page, "/api/v1/pictures"):
            wrong = {"name": "page.png", "mimeType": "image/png", "buffer": b"<html>no</html>"}
            await page.set_input_files("#files", wrong)  # type: ignore[arg-type]
            await ask(page, "And this?")
        await expect(page.get_by_role("alert")).to_contain_text("web page")
        await expect(page.locator("#question")).to_have_value("And this?")
        assert len(engine.asked) == 1


async def test_an_answer_stays_when_another_one_fails_and_the_same_can_be_tried_again(
    browser: Browser, tmp_path: Path
) -> None:
    answers: Iterator[str | Exception] = iter(["Answer 1", RuntimeError("no"), "Answer 2"])
    engine = ScriptedEngine(script=lambda _: next(answers))
    async with service(tmp_path, engine, shared_list=True) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await ask(page, "What?")
        await page.get_by_role("button", name="Answer again").click()
        await page.get_by_role("button", name="Try again").click(trial=True)
        await expect(page.locator(".prose")).to_have_text(["Answer 1"])
        await page.get_by_role("button", name="Try again").click()
        await expect(page.locator(".prose")).to_have_text(["Answer 2"])
        turns = (await web.client.get(f"/api/v1/conversations/{page.url.partition('#')[2]}")).json()["turns"]
        assert [turn["answer"]["text"] for turn in turns] == ["Answer 2"]


async def test_a_picture_is_removed_only_after_it_was_confirmed(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await ask(page, "What?")
        await expect(page.locator(".actions")).to_be_visible()
        await page.get_by_role("button", name="Show picture 1").press("Enter")
        await expect(page.locator("#viewer").get_by_role("button", name="Close")).to_be_focused()
        await page.get_by_role("button", name="Remove from the conversation").press("Enter")
        await page.get_by_role("button", name="Keep it").press("Enter")
        await expect(page.locator(".shown img")).to_have_count(1)
        await page.get_by_role("button", name="Show picture 1").press("Enter")
        await page.get_by_role("button", name="Remove from the conversation").press("Enter")
        await page.get_by_role("button", name="Delete", exact=True).press("Enter")
        await expect(page.locator(".shown img")).to_have_count(0)


async def test_a_list_that_was_open_on_a_narrow_screen_does_not_block_a_wide_one(
    browser: Browser, tmp_path: Path
) -> None:
    async with (
        service(tmp_path) as web,
        visit(browser, web.url, viewport={"width": 700, "height": 900}) as page,
    ):
        await page.locator("#open-sidebar").click()
        await page.set_viewport_size({"width": 1200, "height": 900})
        await page.fill("#question", "Can I write here?")
        await expect(page.locator("#shade")).to_be_hidden()


async def test_earlier_ones_of_the_list_get_the_focus_though_the_page_looks_meanwhile(
    browser: Browser, tmp_path: Path
) -> None:
    async with service(tmp_path) as web:
        write_conversations(tmp_path, 250)
        async with visit(browser, web.url) as page:
            await expect(page.locator("#conversations .entry")).to_have_count(200)
            looked, may_end, number = asyncio.Event(), asyncio.Event(), itertools.count()

            async def hold(route: Route) -> None:
                wait = {0: looked, 1: may_end}.get(next(number))  # for the press, and for the look
                if wait is not None:
                    await wait.wait()
                await route.continue_()

            await page.route("**/conversations?*", hold)
            more = page.get_by_role("button", name="Show earlier ones")
            await more.evaluate("button => button.click()")  # a mouse would also let the page look, before the press
            await page.evaluate("dispatchEvent(new Event('focus'))")
            async with page.expect_response(lambda it: "/conversations?" in it.url and "after=&" not in it.url):
                looked.set()  # the second part of what was asked for comes before that of the look
            may_end.set()
            await expect(page.locator("#conversations .entry")).to_have_count(250)
            await expect(page.get_by_role("button", name="Question 200?", exact=True)).to_be_focused()
