"""A question is asked in other words on the page, and its versions are read: by mouse, keyboard and finger."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect

from core.conversation import Conversation
from core.errors import BadQuestion
from core.i18n import Translator
from tests.bots.web.browser import PHONE, needs_chromium, shows, sound, visit
from tests.bots.web.conftest import Web, service, until
from tests.bots.web.hand import LOOKS, Hand
from tests.bots.web.test_page import ask, choose
from tests.fakes import ScriptedEngine, describe

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="session")]

LONG = "First words. " + "and more " * 2000
TOP = "it => it.getBoundingClientRect().top"
FITS = "document.getElementById('scroller').scrollWidth <= document.getElementById('scroller').clientWidth"


async def begun(web: Web, *more: str) -> str:
    """A conversation with answered questions, the first about picture 1."""
    conversation = await web.begin()
    for question in more:
        await web.ask(question, conversation=conversation)
    return conversation


async def edited(web: Web, conversation: str, *words: str) -> None:
    """Ask its first question again, in each of these words."""
    for query in words:
        await web.client.post(f"/api/v1/conversations/{conversation}/turns/1/edit", data={"query": query})


@asynccontextmanager
async def opened_page(
    browser: Browser,
    folder: Path,
    *more: str,
    engine: ScriptedEngine | None = None,
    edits: Sequence[str] = (),
    **look: Any,
) -> AsyncIterator[tuple[Web, str, Page]]:
    """Run the service, and open a conversation on its page that has `begun` and was `edited`."""
    async with service(folder, engine, shared_list=True) as web:
        conversation = await begun(web, *more)
        await edited(web, conversation, *edits)
        async with visit(browser, web.url, f"/#{conversation}", **look) as page:
            yield web, conversation, page


@pytest.mark.parametrize("hand", LOOKS)
async def test_a_question_is_asked_in_other_words_and_every_version_is_read(
    browser: Browser, tmp_path: Path, hand: Hand
) -> None:
    look = LOOKS[hand]
    say = Translator(look.get("locale")).say
    async with opened_page(browser, tmp_path, "Second?", **look) as (_, _, page):
        turn = page.locator(".turn").first
        edit = turn.get_by_role("button", name=say("Ask in other words"))
        field = turn.get_by_label(say("Your question in other words"))
        words, prose = turn.locator(".asked .words:visible"), turn.locator(".prose:visible")
        await hand.press(edit)
        await expect(field).to_be_focused()
        await expect(field).to_have_value("First?")
        await sound(page)
        await page.keyboard.press("Escape")
        await expect(edit).to_be_focused()
        await expect(words).to_contain_text("First?")

        await hand.press(edit)
        await field.fill("  ")
        await expect(turn.get_by_role("button", name=say("Ask"), exact=True)).to_be_disabled()
        await field.fill("In other words?")
        if hand is Hand.KEYBOARD:
            await page.keyboard.press("Enter")
        else:
            await hand.press(turn.get_by_role("button", name=say("Ask"), exact=True))
        await expect(prose).to_have_text("Answer to 'In other words?' about [1] after 0 turns.")
        await expect(turn.locator(".answered")).to_be_focused()
        await expect(page.locator(".turn")).to_have_count(2)
        await expect(page.locator("#conversations .current .open")).to_contain_text("In other words?")

        versions = turn.get_by_role("group", name=say("Versions of this question"))
        await expect(versions).to_contain_text(say("{place} of {count}", place=2, count=2))
        await hand.press(versions.get_by_role("button", name=say("Earlier version")))
        await expect(words).to_contain_text("First?")
        await expect(prose).to_have_text("Answer to 'First?' about [1] after 0 turns.")
        await expect(versions).to_contain_text(say("{place} of {count}", place=1, count=2))
        await expect(versions.get_by_role("button", name=say("Earlier version"))).to_be_focused()
        await expect(page.locator("#announcer")).to_contain_text("Answer to 'First?'")
        await sound(page)
        await hand.press(versions.get_by_role("button", name=say("Later version")))
        await expect(words).to_contain_text("In other words?")

        both = versions.get_by_role("button", name=say("Side by side"))
        if hand is Hand.FINGER:
            await expect(both).to_be_hidden()
            return
        await hand.press(both)
        await shows(prose, "Answer to 'First?'", "Answer to 'In other words?'")
        one, other = [await prose.nth(place).bounding_box() for place in (0, 1)]
        assert one and other and one["x"] + one["width"] < other["x"]
        assert abs(one["y"] - other["y"]) < 40
        assert await page.evaluate(FITS)
        await sound(page)
        await hand.press(both)
        await expect(prose).to_have_count(1)


async def test_an_answer_that_is_drawn_again_or_edited_elsewhere_becomes_a_version(
    browser: Browser, tmp_path: Path
) -> None:
    async with opened_page(browser, tmp_path) as (web, conversation, page):
        label, prose = page.locator(".versions span"), page.locator(".prose:visible")
        await page.get_by_role("button", name="Answer again").click()
        await expect(label).to_have_text("2 of 2")
        await page.get_by_role("button", name="Earlier version").click()
        await expect(label).to_have_text("1 of 2")
        await page.reload()
        await expect(label).to_have_text("2 of 2")
        await edited(web, conversation, "Elsewhere?")
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await expect(label).to_have_text("3 of 3")
        await expect(prose).to_contain_text("Answer to 'Elsewhere?'")


async def test_words_of_an_edit_stay_in_hand_while_others_change_the_conversation(
    browser: Browser, tmp_path: Path
) -> None:
    async with opened_page(browser, tmp_path) as (web, conversation, page):
        await page.get_by_role("button", name="Ask in other words").click()
        field = page.get_by_label("Your question in other words")
        await field.fill("Half a question")
        await edited(web, conversation, "Elsewhere?")
        async with page.expect_response("**/conversations?after=*"):
            await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await expect(page.locator("#conversations .current .open")).to_contain_text("Elsewhere?")
        await expect(field).to_have_value("Half a question")
        await page.get_by_role("button", name="Cancel").click()
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await expect(page.locator(".asked .words")).to_contain_text("Elsewhere?")


async def test_an_edit_that_is_refused_keeps_the_answer_and_the_words(browser: Browser, tmp_path: Path) -> None:
    script: dict[str, Exception] = {"Refused": BadQuestion("I did not understand this.")}

    def answer(conversation: Conversation) -> str | Exception:
        return script.get(conversation.turns[-1].text) or describe(conversation)

    async with opened_page(browser, tmp_path, engine=ScriptedEngine(answer)) as (_, _, page):
        await page.get_by_role("button", name="Ask in other words").click()
        field, question = page.get_by_label("Your question in other words"), page.locator("#question")
        await field.fill("Refused")
        await field.press("Enter")
        await expect(page.get_by_role("alert").locator("visible=true")).to_contain_text("I did not understand this.")
        await expect(field).to_have_value("Refused")
        await expect(question).not_to_be_focused()
        await expect(page.locator(".prose")).to_have_text("Answer to 'First?' about [1] after 0 turns.")
        await field.fill("Accepted")
        await field.press("Enter")
        await expect(page.locator(".prose")).to_have_text("Answer to 'Accepted' about [1] after 0 turns.")
        await expect(page.get_by_role("alert").locator("visible=true")).to_have_count(0)


async def test_an_edit_in_progress_is_read_on_after_a_reload_in_its_place(browser: Browser, tmp_path: Path) -> None:
    def answer(conversation: Conversation) -> str:
        return LONG if conversation.turns[-1].text == "Longer?" else describe(conversation)

    engine = ScriptedEngine(answer, pause=0.01)
    async with opened_page(browser, tmp_path, "Second?", engine=engine) as (_, _, page):
        engine.gate = asyncio.Event()  # what is asked from now on goes on until it is stopped
        first = page.locator(".turn").first
        await first.get_by_role("button", name="Ask in other words").click()
        field = page.get_by_label("Your question in other words")
        await field.fill("Longer?")
        await field.press("Enter")
        await expect(first.locator(".prose")).to_contain_text("First words.")
        await page.reload()
        await expect(first.locator(".words")).to_contain_text("Longer?")
        await expect(first.locator(".writing .prose")).to_contain_text("First words.")
        await expect(page.locator(".turn")).to_have_count(2)
        await page.keyboard.press("Escape")
        await expect(first.locator(".note")).to_have_text("(stopped)")
        await until(lambda: not engine.running)
        await expect(first.locator(".versions span")).to_have_text("2 of 2")


async def test_escape_gives_up_an_edit_and_not_the_answer_that_grows(browser: Browser, tmp_path: Path) -> None:
    def answer(conversation: Conversation) -> str:
        return LONG if conversation.turns[-1].text == "Longer?" else describe(conversation)

    engine = ScriptedEngine(answer, pause=0.01)
    async with opened_page(browser, tmp_path, engine=engine) as (_, _, page):
        engine.gate = asyncio.Event()  # what is asked from now on goes on until it is stopped
        await page.get_by_role("button", name="Ask in other words").click()
        field = page.get_by_label("Your question in other words")
        await ask(page, "Longer?")
        await expect(page.locator(".writing .prose")).to_contain_text("First words.")
        await field.focus()
        await field.press("Escape")
        await expect(field).to_have_count(0)
        assert engine.running == 1
        await page.locator("#stop").click()
        await until(lambda: not engine.running)


async def test_an_earlier_question_stays_where_it_is_while_it_is_edited(browser: Browser, tmp_path: Path) -> None:
    async with opened_page(browser, tmp_path, *(f"Question {number}?" for number in range(2, 6)), **PHONE) as (
        _,
        _,
        page,
    ):
        await expect(page.locator(".turn")).to_have_count(5)
        edit = page.get_by_role("button", name="Ask in other words")
        tops = [await edit.nth(number).evaluate(TOP) for number in range(5)]
        place = next(number for number, top in enumerate(tops) if top >= 120)  # the first in the window
        await edit.nth(place).tap()
        field = page.get_by_label("Your question in other words")
        await page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        await expect(field).to_be_focused()
        assert abs(await field.evaluate(TOP) - tops[place]) < 30


async def test_a_version_that_cannot_be_had_says_so(browser: Browser, tmp_path: Path) -> None:
    async with opened_page(browser, tmp_path, edits=("Second words?",)) as (_, _, page):
        gone = asyncio.Event()

        async def fail(route: Route) -> None:
            gone.set()
            await route.abort()

        await page.route("**/versions", fail)
        await page.get_by_role("button", name="Earlier version").click()
        await gone.wait()
        await expect(page.locator("#notice")).to_have_text("There is no connection. Please try again.")
        await expect(page.locator(".versions span")).to_have_text("2 of 2")
        await page.unroute("**/versions")
        await page.get_by_role("button", name="Earlier version").click()
        await expect(page.locator(".versions span")).to_have_text("1 of 2")


async def test_a_closer_look_and_a_new_picture_leave_an_open_edit_alone(browser: Browser, tmp_path: Path) -> None:
    async with opened_page(browser, tmp_path) as (_, _, page):
        await page.get_by_role("button", name="Ask in other words").click()
        field = page.get_by_label("Your question in other words")
        await field.fill("Half a question")
        await choose(page, "green")
        await ask(page, "And this?")
        await expect(page.locator(".prose").last).to_contain_text("about [2] after 1 turns.")
        await expect(field).to_have_value("Half a question")
