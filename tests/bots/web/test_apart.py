"""The page when something happens elsewhere: in another conversation, in another tab, or to the network."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, Page, expect

from core.answer import Answer, Ending
from core.conversation import Conversation
from core.errors import Busy
from core.events import Piece, Tell
from core.sampling import Sampling
from tests.bots.web.browser import needs_chromium, visit
from tests.bots.web.conftest import service
from tests.bots.web.test_midway import held
from tests.bots.web.test_page import ask, choose, files
from tests.bots.web.wire import wired
from tests.fakes import ScriptedEngine

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="session")]


@dataclass
class HeldEngine(ScriptedEngine):
    """Writes half of each answer, and the rest when it may."""

    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, conversation: Conversation, sampling: Sampling, tell: Tell) -> Answer:
        self.asked.append(conversation)
        tell(Piece("So far"))
        await self.go.wait()
        tell(Piece(" and on."))
        return Answer("So far and on.", Ending.DONE)


async def look(page: Page) -> None:
    """Come back to the page, as its reader does who was in another window."""
    await page.evaluate("dispatchEvent(new Event('focus'))")


async def begin(page: Page, question: str = "First?") -> str:
    """Ask about a picture; returns the path of the conversation."""
    await choose(page, "red")
    await ask(page, question)
    await expect(page.locator(".actions")).to_be_visible()
    return "/#" + page.url.partition("#")[2]


async def test_an_answer_being_written_stays_in_the_list_when_another_conversation_is_opened(
    browser: Browser, tmp_path: Path
) -> None:
    engine = HeldEngine()
    async with service(tmp_path, engine, shared_list=True) as web, visit(browser, web.url) as page:
        await page.add_init_script("window.setInterval = () => 0")  # the page does not look by itself
        await page.reload()
        await choose(page, "red")
        await ask(page, "A slow one?")
        entry = page.locator("#conversations .entry").filter(has_text="A slow one?")
        await expect(entry).to_contain_text("(is being answered)")
        await expect(page.locator(".writing .prose")).to_have_text("So far")
        await page.locator("#sidebar [data-new]").click()
        await expect(page.locator("#welcome")).to_be_visible()
        await expect(entry).to_be_visible()
        await entry.locator(".open").click()
        await expect(page.locator(".writing .prose")).to_have_text("So far")
        await page.locator("#sidebar [data-new]").click()
        await expect(page.locator("#welcome")).to_be_visible()
        engine.go.set()
        while (await web.client.get("/api/v1/conversations")).json()["conversations"][0]["writing"]:
            await asyncio.sleep(0.01)
        async with page.expect_response("**/conversations?after=*"):
            await look(page)
        await expect(entry).not_to_contain_text("(is being answered)")


async def test_what_another_tab_asks_appears_while_it_is_written_and_takes_nothing_away(
    browser: Browser, tmp_path: Path
) -> None:
    engine = HeldEngine()
    engine.go.set()
    async with service(tmp_path, engine, shared_list=True) as web, visit(browser, web.url) as here:
        path = await begin(here)
        async with visit(browser, web.url, path) as there:
            await expect(there.locator(".actions")).to_be_visible()
            await there.locator("#question").press_sequentially("Half a word")
            await there.evaluate("getSelection().selectAllChildren(document.querySelector('.prose p'))")
            engine.go.clear()
            await ask(here, "And now?")
            await expect(here.locator(".writing .prose")).to_have_text("So far")
            await look(there)
            await expect(there.locator(".writing .prose")).to_have_text("So far")
            engine.go.set()
            await expect(there.locator(".actions")).to_have_count(2)
            await expect(there.locator(".prose").last).to_have_text("So far and on.")
            await expect(there.locator("#question")).to_have_value("Half a word")
            assert await there.evaluate("getSelection().toString()") == "So far and on."
            await ask(there, "A third?")
            await expect(there.locator(".actions")).to_have_count(3)
            await look(here)
            await expect(here.locator(".asked .words")).to_have_count(3)
            await expect(here.locator(".asked .words").last).to_contain_text("A third?")


async def test_an_answer_redrawn_a_picture_added_and_a_deletion_elsewhere_appear(
    browser: Browser, tmp_path: Path
) -> None:
    answers = iter(["One.", "Two."])
    engine = ScriptedEngine(script=lambda _: next(answers))
    async with service(tmp_path, engine, shared_list=True) as web, visit(browser, web.url) as here:
        path = await begin(here)
        async with visit(browser, web.url, path) as there:
            await expect(there.locator(".prose")).to_have_text("One.")
            await here.get_by_role("button", name="Answer again").click()
            await expect(here.locator(".prose")).to_have_text("Two.")
            await here.set_input_files("#files", files("blue"))  # type: ignore[arg-type]
            await expect(here.locator("#attached .number")).to_have_text("2")
            await look(there)
            await expect(there.locator(".prose")).to_have_text("Two.")
            await expect(there.locator("#attached .number")).to_have_text("2")
            await web.client.delete(f"/api/v1/conversations/{path[2:]}")
            await look(there)
            await expect(there.get_by_role("alert")).to_contain_text("It was deleted or has expired.")
            await expect(there.locator(".turn")).to_have_count(0)
            await expect(there.locator("#welcome")).to_be_visible()


async def test_the_page_looks_by_itself_too(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path, shared_list=True) as web, visit(browser, web.url) as page:
        await page.clock.install()
        await page.reload()
        path = await begin(page)
        await web.ask("From a telephone?", conversation=path[2:])
        await page.clock.fast_forward(10_000)
        await expect(page.locator(".asked .words").last).to_contain_text("From a telephone?")


async def test_a_connection_that_dies_without_a_word_is_noticed_and_the_same_answer_comes(
    browser: Browser, tmp_path: Path
) -> None:
    engine = HeldEngine()
    async with (
        service(tmp_path, engine, shared_list=True) as web,
        wired(web.url) as (url, wire),
        visit(browser, url) as page,
    ):
        await page.clock.install()
        await page.reload()
        await choose(page, "red")
        await ask(page, "Once?")
        await expect(page.locator(".writing .prose")).to_have_text("So far")
        wire.die()
        engine.go.set()
        await page.clock.fast_forward(30_000)
        await expect(page.locator(".status.lost")).to_have_text("The connection is lost. Trying again …")
        wire.revive()
        await page.clock.fast_forward(45_000)
        await expect(page.locator(".prose")).to_have_text("So far and on.")
        await expect(page.locator(".actions")).to_be_visible()
        assert len(engine.asked) == 1


async def test_an_upload_in_a_connection_that_died_ends_with_a_sentence(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path, shared_list=True) as web, wired(web.url) as (url, wire), visit(browser, url) as page:
        await page.clock.install()
        await page.reload()
        await expect(page.locator("#welcome")).to_be_visible()
        await choose(page, "red")
        wire.die()
        await page.set_input_files("#files", files("blue"))  # type: ignore[arg-type]
        await ask(page, "What are they?")
        await expect(page.locator("#attached .busy")).to_have_count(1)
        await page.clock.fast_forward(310_000)
        await expect(page.get_by_role("alert")).to_have_text("There is no connection. Please try again.")
        await expect(page.locator("#attached .number")).to_have_text("1")
        await expect(page.locator("#question")).to_have_value("What are they?")
        wire.revive()
        await page.locator("#question").press("Enter")
        await expect(page.locator(".prose")).to_contain_text("about [1]")


async def test_what_failed_stays_where_it_was_asked(browser: Browser, tmp_path: Path) -> None:
    script: dict[str, str | Exception] = {"Refused?": Busy("Too many are waiting."), "Broken?": RuntimeError("no")}
    engine = ScriptedEngine(lambda conversation: script.pop(conversation.turns[-1].text, "Fine."))
    async with service(tmp_path, engine, shared_list=True) as web, visit(browser, web.url) as page:
        path = await begin(page)
        asked = page.locator(".asked .words")
        trouble = page.locator(".trouble")
        for count, question in enumerate(("Refused?", "Broken?"), 1):
            await ask(page, question)
            await expect(trouble).to_have_count(count)
        await ask(page, "Last?")
        await expect(page.locator(".turn .actions")).to_have_count(2)
        await web.ask("From a telephone?", conversation=path[2:])
        await look(page)
        questions = ["First?", "Refused?", "Broken?", "Last?", "From a telephone?"]
        await expect(asked).to_have_text([f"You asked: {question}" for question in questions])
        await trouble.nth(1).get_by_role("button", name="Try again").click()
        await expect(page.locator(".turn .actions")).to_have_count(4)
        await expect(trouble).to_have_count(1)
        await look(page)
        await trouble.get_by_role("button", name="Try again").click()
        await expect(page.locator(".turn .actions")).to_have_count(5)
        await expect(trouble).to_have_count(0)


async def test_a_conversation_that_could_not_be_loaded_comes_with_the_connection(
    browser: Browser, tmp_path: Path
) -> None:
    async with service(tmp_path, shared_list=True) as web, visit(browser, web.url) as page:
        path = await begin(page)
        address = f"**/conversations/{quote(path[2:], safe='')}"
        await page.route(address, lambda route: route.abort())
        await page.reload()
        await expect(page.get_by_role("alert")).to_have_text("There is no connection. Please try again.")
        await page.unroute(address)
        await look(page)
        await expect(page.locator(".turn")).to_have_count(1)
        await expect(page.locator("#notice")).to_be_hidden()


async def test_a_question_sent_before_the_page_is_loaded_goes_where_it_belongs(
    browser: Browser, tmp_path: Path
) -> None:
    async with service(tmp_path, shared_list=True) as web, visit(browser, web.url) as page:
        path = await begin(page)
        async with held(page, f"/conversations/{quote(path[2:], safe='')}"):
            await page.reload()
            await page.set_input_files("#files", files("blue"))  # type: ignore[arg-type]
            await page.fill("#question", "And the blue one?")
            await expect(page.locator("#send")).to_be_enabled()
            await page.press("#question", "Enter")
        await expect(page.locator(".prose")).to_have_count(2)
        await expect(page.locator(".prose").last).to_have_text("Answer to 'And the blue one?' about [2] after 1 turns.")
        assert page.url.endswith(path)
