"""Who leaves the page, or a conversation in it, loses nothing that was asked, typed or chosen."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, Dialog, Page, expect

from core.errors import Busy
from tests.bots.web.browser import PATIENCE_MS, needs_chromium, shows, visit
from tests.bots.web.conftest import KEY, service, until
from tests.bots.web.test_line import kept
from tests.bots.web.test_midway import held, waiting
from tests.bots.web.test_overtaken import press, read, slow, two
from tests.bots.web.test_page import ask, choose, files
from tests.fakes import ScriptedEngine

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="session")]


async def in_words(page: Page) -> None:
    await ask(page, "Heard?")


async def in_other_words(page: Page) -> None:
    await page.get_by_role("button", name="Ask in other words").click()
    await page.get_by_label("Your question in other words").fill("Heard?")
    await page.get_by_label("Your question in other words").press("Enter")


async def about_a_part(page: Page) -> None:
    await page.get_by_role("button", name="Show picture 1").click()
    await page.get_by_role("button", name="Ask about a part").click()
    await page.fill("#part-question", "Heard?")
    await page.locator("#ask-part button").click()


# How one asks, the request that it is, and the questions that there are then.
WAYS: dict[str, tuple[Callable[[Page], Awaitable[None]], str, tuple[str, ...]]] = {
    "in words": (in_words, "/analyze", ("First?", "Heard?")),
    "in other words": (in_other_words, "/turns/1/edit?stream=true&html=true", ("Heard?",)),
    "about a part": (about_a_part, "/analyze", ("First?", "Heard?")),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_question_on_its_way_arrives_though_the_page_is_left(
    browser: Browser, tmp_path: Path, way: str
) -> None:
    engine = ScriptedEngine()
    asks, path, _ = WAYS[way]
    async with two(browser, tmp_path, engine) as (_, page, _, _):
        sent = await slow(page, path)
        await asks(page)
        await sent.wait()
        await page.goto("about:blank")
        await until(lambda: engine.asked[-1].turns[-1].text == "Heard?")


@pytest.mark.parametrize("way", WAYS)
async def test_a_question_that_did_not_leave_the_page_is_asked_after_a_reload(
    browser: Browser, tmp_path: Path, way: str
) -> None:
    engine = ScriptedEngine()
    asks, path, questions = WAYS[way]
    async with two(browser, tmp_path, engine) as (_, page, _, _):
        await slow(page, path)  # also the one that is sent as the page is left
        sent = await slow(page, path)
        await asks(page)
        await sent.wait()
        assert await kept(page) == ["Heard?"]
        await page.reload()
        await expect(page.locator(".prose").last).to_contain_text("Answer to 'Heard?'")
        await shows(page.locator(".asked .words"), *questions)
        await expect(page.locator("#question")).to_have_value("")
        assert [it.turns[-1].text for it in engine.asked] == ["First?", "Other?", "Heard?"]
        assert await kept(page) == []


@pytest.mark.parametrize("way", WAYS)
async def test_a_question_on_its_way_arrives_though_another_conversation_is_opened(
    browser: Browser, tmp_path: Path, way: str
) -> None:
    engine = ScriptedEngine()
    asks, path, questions = WAYS[way]
    async with two(browser, tmp_path, engine) as (_, page, _, _):
        sent = await slow(page, path)
        await asks(page)
        await sent.wait()
        await press(page, "Other?")
        await until(lambda: engine.asked[-1].turns[-1].text == "Heard?")
        await expect(page.locator(".asked .words")).to_have_text(["You asked: Other?"])
        await page.go_back()
        await expect(page.locator(".prose").last).to_contain_text("Answer to 'Heard?'")
        await shows(page.locator(".asked .words"), *questions)
        assert len(engine.asked) == 3


async def test_the_words_of_a_question_that_was_refused_are_there_after_a_reload(
    browser: Browser, tmp_path: Path
) -> None:
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        refusal = {"detail": "Too many.", "retryable": True}
        await page.route("**/api/v1/analyze", lambda route: route.fulfill(status=429, json=refusal))
        await page.locator("#question").press_sequentially("What is it?\n")
        await expect(page.get_by_role("alert").locator("visible=true")).to_contain_text("Too many.")
        await page.reload()
        await expect(page.locator("#question")).to_have_value("What is it?")
        await expect(page.locator("#attached .number")).to_have_text(["1"])


async def test_an_edit_is_asked_after_a_new_sign_in(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path, token=KEY) as web, visit(browser, web.url) as page:

        async def sign_in() -> None:
            await page.get_by_label("Token").fill(KEY)
            await page.get_by_role("button", name="Sign in").click()

        await sign_in()
        await expect(page.locator("#conversations .none")).to_be_visible()  # the page has begun
        await choose(page, "red")
        await ask(page, "First?")
        await expect(page.locator(".actions")).to_be_visible()
        await page.context.clear_cookies(name="session")
        await in_other_words(page)
        await page.wait_for_url("**/login#*")
        await sign_in()
        await expect(page.locator(".prose")).to_have_text("Answer to 'Heard?' about [1] after 0 turns.")
        await expect(page.locator(".asked .words")).to_be_visible()
        await expect(page.get_by_label("Your question in other words")).to_have_count(0)


async def remove_the_picture(page: Page) -> None:
    await page.get_by_role("button", name="Show picture 1").click()
    await page.get_by_role("button", name="Remove from the conversation").click()
    await page.locator("#confirm").get_by_role("button", name="Delete").click()
    await expect(page.locator(".shown .view")).to_have_count(0)


async def answer_again(page: Page) -> None:
    await page.get_by_role("button", name="Answer again").click()
    await expect(page.locator(".versions")).to_be_visible()


async def look_elsewhere(page: Page) -> None:
    await press(page, "Other?")
    await expect(page.locator(".asked .words").first).to_contain_text("Other?")
    await page.go_back()
    await expect(page.locator(".asked .words").first).to_contain_text("First?")


async def reload(page: Page) -> None:
    await page.reload()
    await expect(page.locator(".turn")).to_have_count(2)


@pytest.mark.parametrize("act", [remove_the_picture, answer_again, look_elsewhere, reload])
async def test_half_typed_words_of_an_edit_stay(
    browser: Browser, tmp_path: Path, act: Callable[[Page], Awaitable[None]]
) -> None:
    async with two(browser, tmp_path) as (web, page, first, _):
        await web.ask("Second?", conversation=first)
        await page.reload()
        edits = page.get_by_role("button", name="Ask in other words")
        fields = page.get_by_label("Your question in other words")
        await expect(edits).to_have_count(2)
        for number in range(2):
            await edits.first.click()  # those that are open have none
            await fields.nth(number).fill(f"Half {number}")
        await act(page)
        await expect(fields).to_have_count(2)
        for number in range(2):
            await expect(fields.nth(number)).to_have_value(f"Half {number}")
        for _ in range(2):
            await page.get_by_role("button", name="Cancel").first.click()
        await page.reload()
        await expect(edits).to_have_count(2)
        await expect(fields).to_have_count(0)


async def test_a_half_typed_question_about_a_part_is_there_after_a_reload(browser: Browser, tmp_path: Path) -> None:
    async with two(browser, tmp_path) as (_, page, _, _):
        await page.get_by_role("button", name="Show picture 1").click()
        await page.get_by_role("button", name="Ask about a part").click()
        await page.locator("#part-question").press_sequentially("What is")
        await page.reload()
        await page.get_by_role("button", name="Show picture 1").click()
        await page.get_by_role("button", name="Ask about a part").click()
        await expect(page.locator("#part-question")).to_have_value("What is")
        await page.locator("#part-question").press("End")
        await page.locator("#part-question").press_sequentially(" here?\n")
        await expect(page.locator(".prose").last).to_contain_text("Answer to 'What is here?'")
        await page.reload()
        await expect(page.locator(".turn")).to_have_count(2)
        await expect(page.locator("#part-question")).to_have_value("")


async def test_the_page_asks_before_it_is_left_while_a_picture_is_on_its_way(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        asked = list[str]()

        async def stay(dialog: Dialog) -> None:
            asked.append(dialog.type)
            await dialog.dismiss()

        page.on("dialog", stay)
        await page.locator("#question").click()  # browsers ask nobody who has touched nothing
        sent = await slow(page, "/pictures")
        await page.set_input_files("#files", files("red"))  # type: ignore[arg-type]
        await sent.wait()
        await page.evaluate("void setTimeout(() => location.reload())")
        await until(lambda: asked)
        await sent.leave()
        await expect(page.locator("#attached .number")).to_have_text(["1"])

        sent = await slow(page, "/pictures")
        await page.set_input_files("#files", files("blue"))  # type: ignore[arg-type]
        await sent.wait()
        await page.get_by_role("button", name="Remove this picture").click()
        await page.reload()
        await expect(page.locator("#attached .number")).to_have_text(["1"])
        assert asked == ["beforeunload"]


async def test_every_picture_arrives_in_the_conversation_that_is_left(browser: Browser, tmp_path: Path) -> None:
    async with two(browser, tmp_path) as (web, page, first, _):
        async with held(page, "/api/v1/pictures"):
            await page.set_input_files("#files", files("blue", "green"))  # type: ignore[arg-type]
            await press(page, "Other?")
            await expect(page.locator(".asked .words")).to_contain_text(["Other?"])
        async with asyncio.timeout(PATIENCE_MS / 1000):
            while await waiting(web, first) != [2, 3]:
                await asyncio.sleep(0.05)


async def test_what_lies_over_a_conversation_goes_with_it(browser: Browser, tmp_path: Path) -> None:
    """Its picture would be asked about, or removed, in the other one."""
    async with two(browser, tmp_path) as (_, page, _, _):
        for over in ("#viewer", "#confirm"):
            await press(page, "Other?")
            await expect(page.locator(".asked .words")).to_contain_text(["Other?"])
            await page.get_by_role("button", name="Show picture 1").click()
            if over == "#confirm":
                await page.get_by_role("button", name="Remove from the conversation").click()
            await expect(page.locator(over)).to_be_visible()
            await page.go_back()
            await expect(page.locator(".asked .words")).to_contain_text(["First?"])
            await expect(page.locator(over)).to_be_hidden()
            await expect(page.locator(".shown .view")).to_have_count(1)


async def test_a_question_sent_twice_while_the_page_loads_is_asked_once(browser: Browser, tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with two(browser, tmp_path, engine) as (_, page, first, _):
        async with held(page, "/api/v1/pictures"):
            async with held(page, read(first)):
                await page.reload()
                await page.set_input_files("#files", files("blue"))  # type: ignore[arg-type]
                await ask(page, "And the blue one?")
            await expect(page.locator(".turn")).to_have_count(1)
            await expect(page.locator("#attached .busy")).to_have_count(1)
            await page.locator("#question").press("Enter")
        await expect(page.locator(".prose").last).to_contain_text("Answer to 'And the blue one?' about [2]")
        await expect(page.locator(".turn")).to_have_count(2)
        assert len(engine.asked) == 3


async def test_a_refusal_that_can_be_tried_again_is_forgotten_once_it_is_answered(
    browser: Browser, tmp_path: Path
) -> None:
    script: list[Exception] = [Busy("Too many are waiting.")]
    engine = ScriptedEngine(lambda _: script.pop() if script else "Fine.")
    async with service(tmp_path, engine) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await ask(page, "What?")
        await page.get_by_role("button", name="Try again").click()
        await expect(page.locator(".prose")).to_have_text("Fine.")
        await page.reload()
        await expect(page.locator(".turn")).to_have_count(1)
        await expect(page.locator("#question")).to_have_value("")
