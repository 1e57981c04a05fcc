"""The next questions wait in line on the page: by mouse, keyboard and finger."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route, expect

from core.answer import Answer
from core.conversation import Conversation
from core.events import Tell
from core.i18n import Translator
from core.sampling import Sampling
from tests.bots.web.browser import needs_chromium, shows, sound, visit
from tests.bots.web.conftest import KEY, photo, service, until
from tests.bots.web.hand import LOOKS, Hand
from tests.bots.web.test_apart import look
from tests.bots.web.test_page import ask, choose
from tests.fakes import ScriptedEngine, describe

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="session")]

ENDLESS = "The first words stay. " + "and more " * 5000


class Held(ScriptedEngine):
    """Answers "Long?" without end, until it is stopped, and the rest at once."""

    def __init__(self) -> None:
        super().__init__(lambda it: ENDLESS if it.turns[-1].text == "Long?" else describe(it))

    async def answer(self, conversation: Conversation, sampling: Sampling, tell: Tell) -> Answer:
        self.pause = 0.02 if conversation.turns[-1].text == "Long?" else 0
        return await super().answer(conversation, sampling, tell)

    @property
    def questions(self) -> list[str]:
        return [it.turns[-1].text for it in self.asked]


async def kept(page: Page) -> list[str]:
    """Return the questions that the tab keeps until the server has them."""
    found: list[str] = await page.evaluate(
        "Object.entries(sessionStorage).filter(([name]) => name.startsWith('line'))"
        ".flatMap(([, it]) => JSON.parse(it).map(({ text }) => text ?? 'undefined'))"
    )
    return found


async def ask_in_line(page: Page, *questions: str) -> None:
    """Ask the first, whose answer does not end, and let the others wait."""
    await ask(page, "Long?")
    await expect(page.locator(".writing .prose")).to_contain_text("stay.")
    for number, question in enumerate(questions, 1):
        await ask(page, question)
        await expect(page.locator(".turn:has(.waiting)")).to_have_count(number)


@pytest.mark.parametrize("hand", LOOKS)
async def test_questions_wait_in_order_and_one_is_taken_back(browser: Browser, tmp_path: Path, hand: Hand) -> None:
    look = LOOKS[hand]
    say = Translator(look.get("locale")).say
    engine = Held()
    async with service(tmp_path, engine) as web, visit(browser, web.url, **look) as page:
        await choose(page, "red")
        await hand.ask(page, "Long?")
        await expect(page.locator(".writing .prose")).to_contain_text("stay.")
        await expect(page.locator("#send")).to_be_hidden()
        waiting = page.locator(".turn:has(.waiting)")
        for number, question in enumerate(("Second?", "Third?", "Fourth?"), 1):
            await hand.ask(page, question)
            await expect(waiting).to_have_count(number)
        await expect(waiting.first).to_contain_text(say("Waits for the answer before it."))
        await sound(page)
        await hand.ask(page, "Fifth?")
        await expect(page.locator("#notice")).to_have_text(
            say("Please wait for the answers to your earlier questions first.")
        )
        await expect(page.locator("#question")).to_have_value("Fifth?")
        await page.fill("#question", "")
        await hand.press(waiting.nth(1).get_by_role("button", name=say("Take it back")))
        await expect(waiting).to_have_count(2)
        await expect(page.locator("#question")).to_have_value("Third?")
        await expect(page.locator("#announcer")).to_have_text(say("The question is taken back."))
        assert engine.questions == ["Long?"]
        await hand.press(page.locator("#stop"))
        await expect(page.locator(".prose").last).to_have_text("Answer to 'Fourth?' about [] after 2 turns.")
        assert engine.questions == ["Long?", "Second?", "Fourth?"]
        await shows(page.locator(".asked .words"), "Long?", "Second?", "Fourth?")
        assert await page.evaluate("Object.keys(sessionStorage).filter((it) => it.startsWith('line'))") == []


async def test_waiting_questions_are_there_after_a_reload_and_asked_once(browser: Browser, tmp_path: Path) -> None:
    engine = Held()
    async with service(tmp_path, engine) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await ask_in_line(page, "Second?", "Third?")
        await page.reload()
        await expect(page.locator(".writing .prose")).to_contain_text("stay.")
        await shows(page.locator(".turn:has(.waiting)"), "Second?", "Third?")
        await expect(page.locator("#question")).to_have_value("")
        await page.keyboard.press("Escape")
        await expect(page.locator(".prose").last).to_contain_text("Answer to 'Third?'")
        await page.reload()
        await shows(page.locator(".asked .words"), "Long?", "Second?", "Third?")
        assert engine.questions == ["Long?", "Second?", "Third?"]


async def test_a_picture_that_is_chosen_later_stays_for_the_later_question(browser: Browser, tmp_path: Path) -> None:
    engine = Held()
    async with service(tmp_path, engine) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await ask_in_line(page, "Second?")
        await choose(page, "green")
        await ask(page, "Third?")
        waiting = page.locator(".turn:has(.waiting)")
        await expect(waiting).to_have_count(2)
        await waiting.last.get_by_role("button", name="Take it back").click()
        await expect(page.locator("#attached .number")).to_have_text(["2"])
        await expect(page.locator("#question")).to_have_value("Third?")
        await page.locator("#stop").click()
        await expect(page.locator(".prose").last).to_have_text("Answer to 'Second?' about [] after 1 turns.")
        await page.locator("#question").press("Enter")
        await expect(page.locator(".prose").last).to_have_text("Answer to 'Third?' about [2] after 2 turns.")


async def test_the_server_asks_what_waits_where_the_reader_went_away(browser: Browser, tmp_path: Path) -> None:
    engine = Held()
    async with service(tmp_path, engine) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await ask_in_line(page, "Second?")
        conversation = page.url.partition("#")[2]
        await page.locator("#sidebar [data-new]").click()
        await expect(page.locator("#welcome")).to_be_visible()

        async def asking() -> list[str]:
            known = await page.request.get(f"{web.url}/api/v1/conversations/{conversation}")
            return [it["text"] for it in (await known.json())["asking"]]

        while await asking() != ["Long?", "Second?"]:
            await asyncio.sleep(0.05)
        await page.go_back()
        await shows(page.locator(".turn:has(.waiting)"), "Second?")
        await expect(page.get_by_role("button", name="Take it back")).to_have_count(0)
        await page.locator("#stop").click()
        await expect(page.locator(".prose").last).to_contain_text("Answer to 'Second?'")
        assert engine.questions == ["Long?", "Second?"]


async def test_what_changes_an_answer_says_that_it_cannot_wait(browser: Browser, tmp_path: Path) -> None:
    engine = Held()
    async with service(tmp_path, engine) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await ask(page, "First?")
        await expect(page.locator(".actions")).to_be_visible()
        await page.get_by_role("button", name="Ask in other words").click()
        field = page.get_by_label("Your question in other words")
        await field.fill("Other words?")
        await ask_in_line(page)
        await field.press("Enter")
        await expect(page.locator("#notice")).to_contain_text("Please wait")
        await expect(field).to_have_value("Other words?")
        await page.locator("#stop").click()
        await until(lambda: not engine.running)


async def test_who_signs_out_leaves_no_waiting_question_behind(browser: Browser, tmp_path: Path) -> None:
    engine = Held()
    async with service(tmp_path, engine, token=KEY) as web, visit(browser, web.url, "/login") as page:
        await page.get_by_label("Token").fill(KEY)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.locator("#conversations .none")).to_be_visible()  # the page has begun
        await choose(page, "red")
        await ask_in_line(page, "Second?")
        await page.get_by_role("button", name="Sign out").click()
        await page.wait_for_url("**/login")
        assert await page.evaluate("Object.keys(sessionStorage).filter((it) => it.startsWith('line'))") == []


async def test_a_part_that_finds_the_line_full_keeps_its_words(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path, Held()) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await ask_in_line(page, "Second?", "Third?", "Fourth?")
        await page.get_by_role("button", name="Show picture 1").first.click()
        await page.get_by_role("button", name="Ask about a part").click()
        await page.fill("#part-question", "What is here?")
        await page.locator("#ask-part button").click()
        await expect(page.locator("#viewer")).to_be_hidden()
        await expect(page.locator("#notice")).to_have_text(
            "Please wait for the answers to your earlier questions first."
        )
        await expect(page.locator("#part-question")).to_have_value("What is here?")
        await expect(page.locator(".turn:has(.waiting)")).to_have_count(3)


@pytest.mark.parametrize("arrives", [False, True], ids=["never arrives", "arrives unheard"])
async def test_a_question_on_its_way_is_there_after_a_reload(browser: Browser, tmp_path: Path, arrives: bool) -> None:
    async def lose(route: Route) -> None:
        if arrives:
            await route.fetch()
        await route.abort()

    engine = Held()
    async with service(tmp_path, engine) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await ask_in_line(page, "Second?", "Third?")
        await page.route("**/api/v1/analyze", lose)
        await page.locator("#stop").click()
        await expect(page.locator(".status.lost")).to_be_visible()
        assert await kept(page) == ["Second?", "Third?"]
        await page.reload()
        await expect(page.locator(".status.lost")).to_be_visible()
        await page.unroute("**/api/v1/analyze")
        await expect(page.locator(".prose").last).to_contain_text("Answer to 'Third?'")
        await shows(page.locator(".asked .words"), "Long?", "Second?", "Third?")
        assert engine.questions == ["Long?", "Second?", "Third?"]
        assert await kept(page) == []


async def test_what_waits_is_asked_after_a_new_sign_in(browser: Browser, tmp_path: Path) -> None:
    async def sign_in(page: Page) -> None:
        await page.get_by_label("Token").fill(KEY)
        await page.get_by_role("button", name="Sign in").click()

    engine = Held()
    async with service(tmp_path, engine, token=KEY) as web, visit(browser, web.url, "/login") as page:
        await sign_in(page)
        await expect(page.locator("#conversations .none")).to_be_visible()  # the page has begun
        await choose(page, "red")
        await ask_in_line(page, "Second?", "Third?")
        await page.context.clear_cookies(name="session")
        stop = f"{web.url}/api/v1/conversations/{page.url.partition('#')[2]}/stop"
        await page.request.post(stop, headers={"Authorization": f"Bearer {KEY}"})
        await page.wait_for_url("**/login#*")
        await sign_in(page)
        await expect(page.locator(".prose").last).to_contain_text("Answer to 'Third?'")
        assert engine.questions == ["Long?", "Second?", "Third?"]
        assert await kept(page) == []


async def test_who_goes_away_keeps_only_what_the_server_refuses(browser: Browser, tmp_path: Path) -> None:
    async def refuse(route: Route) -> None:
        if "Third?" in (route.request.post_data or ""):
            await route.fulfill(status=429, json={"detail": "Too many.", "retryable": True})
        else:
            await route.continue_()

    engine = Held()
    async with service(tmp_path, engine) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await ask_in_line(page, "Second?", "Third?")
        await page.route("**/api/v1/analyze", refuse)
        async with page.expect_response(lambda response: response.status == 429):
            await page.locator("#sidebar [data-new]").click()
        assert await kept(page) == ["Third?"]
        await page.unroute("**/api/v1/analyze")
        await page.go_back()
        await shows(page.locator(".turn:has(.waiting)"), "Second?", "Third?")
        await page.locator("#stop").click()
        await expect(page.locator(".prose").last).to_contain_text("Answer to 'Third?'")
        await shows(page.locator(".asked .words"), "Long?", "Second?", "Third?")
        assert engine.questions == ["Long?", "Second?", "Third?"]


async def test_what_was_handed_over_unheard_is_shown_once(browser: Browser, tmp_path: Path) -> None:
    async def lose(route: Route) -> None:
        await route.fetch()
        await route.abort()

    engine = Held()
    async with service(tmp_path, engine) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await ask_in_line(page, "Second?")
        conversation = page.url.partition("#")[2]
        await page.route("**/api/v1/analyze", lose)
        async with page.expect_event("requestfailed", lambda it: it.url.endswith("/analyze") and not engine.running):
            await page.locator("#sidebar [data-new]").click()
            await page.request.post(f"{web.url}/api/v1/conversations/{conversation}/stop")
        await page.unroute("**/api/v1/analyze")
        assert await kept(page) == ["Second?"]
        async with page.expect_response(lambda it: "/conversations?" in it.url):
            await look(page)
        await expect(page.locator("#conversations .open")).to_have_count(1)  # the list is up to date
        await page.go_back()
        await expect(page.locator(".prose").last).to_contain_text("Answer to 'Second?'")
        await shows(page.locator(".asked .words"), "Long?", "Second?")
        assert engine.questions == ["Long?", "Second?"]
        assert await kept(page) == []


async def test_what_has_no_words_of_its_own_keeps_those_it_shows(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path, Held()) as web, visit(browser, web.url) as page:
        large = {"name": "large.png", "mimeType": "image/png", "buffer": photo("white", (2400, 2400))}
        await page.set_input_files("#files", large)  # type: ignore[arg-type]
        await ask(page, "First?")
        small_print = page.get_by_role("button", name="Read the small print")
        await expect(small_print).to_be_visible()
        await ask_in_line(page)
        await small_print.click()
        waiting = page.locator(".turn:has(.waiting)")
        await shows(waiting, "First?")
        await page.fill("#question", "More.")
        await page.reload()
        await shows(page.locator(".turn .words"), "First?", "Long?", "First?")
        await expect(waiting).to_have_count(1)
        await waiting.get_by_role("button", name="Take it back").click()
        await expect(waiting).to_have_count(0)
        await expect(page.locator("#question")).to_have_value("More.")
        await page.locator("#stop").click()


async def test_the_words_of_a_question_that_is_taken_back_stand_before_what_is_typed(
    browser: Browser, tmp_path: Path
) -> None:
    async with service(tmp_path, Held()) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await ask_in_line(page, "Second?")
        await page.fill("#question", "More.")
        await page.get_by_role("button", name="Take it back").click()
        await expect(page.locator("#question")).to_have_value("Second?\nMore.")
        await page.locator("#stop").click()
