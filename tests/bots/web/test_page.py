"""The page, as a person uses it in a real browser."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route, expect

from core.errors import BadQuestion, Busy
from tests.bots.web.browser import PHONE, needs_chromium, visit
from tests.bots.web.conftest import photo, service, until
from tests.bots.web.test_list import write_conversations
from tests.core.papers import pdf
from tests.fakes import ScriptedEngine, describe
from tests.ports import free_port

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="session")]


def files(*colours: str) -> list[dict[str, object]]:
    return [{"name": f"{colour}.png", "mimeType": "image/png", "buffer": photo(colour)} for colour in colours]


async def choose(page: Page, *colours: str) -> None:
    await page.set_input_files("#files", files(*colours))  # type: ignore[arg-type]
    await expect(page.locator("#attached .number")).to_have_count(len(colours))


async def ask(page: Page, question: str) -> None:
    await page.fill("#question", question)
    await page.press("#question", "Enter")


async def test_one_click_on_a_sample_gets_an_answer_and_a_follow_up_needs_no_picture(
    browser: Browser, tmp_path: Path
) -> None:
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        await page.get_by_role("button", name="What is the total?").click()
        answers = page.locator(".answered .prose")
        await expect(answers).to_have_text("Answer to 'What is the total?' about [1] after 0 turns.")
        await ask(page, "And the tax rate?")
        await expect(answers.nth(1)).to_have_text("Answer to 'And the tax rate?' about [] after 1 turns.")
        await expect(page.locator("#conversations .current .open")).to_have_text("What is the total?")
        await page.reload()
        await expect(answers).to_have_count(2)
        await expect(page.locator(".shown img")).not_to_have_js_property("naturalWidth", 0)


async def test_several_pictures_are_numbered_and_can_be_taken_away_by_keyboard(
    browser: Browser, tmp_path: Path
) -> None:
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        await choose(page, "red", "green", "blue")
        await expect(page.locator("#attached .number")).to_have_text(["1", "2", "3"])
        await page.get_by_role("button", name="Remove picture 2").press("Enter")
        await expect(page.locator("#attached .number")).to_have_text(["1", "3"])
        await expect(page.get_by_role("button", name="Remove picture 3")).to_be_focused()
        await ask(page, "Compare")
        await expect(page.locator(".answered .prose")).to_have_text("Answer to 'Compare' about [1, 3] after 0 turns.")
        await page.get_by_role("button", name="Show picture 3").click()
        await expect(page.locator("#viewer")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.locator("#viewer")).to_be_hidden()


async def test_a_question_waits_until_a_picture_is_taken_away_on_the_server(browser: Browser, tmp_path: Path) -> None:
    async def late(route: Route) -> None:
        await asyncio.sleep(0.5)
        await route.continue_()

    async with service(tmp_path) as web, visit(browser, web.url) as page:
        await choose(page, "red", "green")
        await expect(page.locator("#attached .number")).to_have_text(["1", "2"])
        await page.route("**/waiting/*", late)
        await page.get_by_role("button", name="Remove picture 1").press("Enter")
        await ask(page, "Which one?")
        await expect(page.locator(".answered .prose")).to_have_text("Answer to 'Which one?' about [2] after 0 turns.")


async def test_a_picture_attached_again_and_taken_off_stays_with_its_first_question(
    browser: Browser, tmp_path: Path
) -> None:
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        answers = page.locator(".answered .prose")
        await choose(page, "red")
        await ask(page, "First")
        await expect(answers).to_have_text("Answer to 'First' about [1] after 0 turns.")
        await choose(page, "red")
        await expect(page.locator("#attached .number")).to_have_text(["1"])
        await page.locator("#attached .remove").press("Enter")
        await choose(page, "green")
        await expect(page.locator("#attached .number")).to_have_text(["2"])
        await ask(page, "Second")
        await expect(answers.nth(1)).to_have_text("Answer to 'Second' about [2] after 1 turns.")
        await page.reload()
        await expect(page.locator(".shown img")).to_have_count(2)


@pytest.mark.parametrize("event", ["drop", "paste"])
async def test_a_picture_can_be_dropped_and_pasted(browser: Browser, tmp_path: Path, event: str) -> None:
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        await page.evaluate(
            """async ([event, bytes]) => {
                const data = new DataTransfer();
                data.items.add(new File([new Uint8Array(bytes)], "picture.png", { type: "image/png" }));
                const made = event === "drop"
                    ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
                    : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
                document.body.dispatchEvent(made);
            }""",
            [event, list(photo())],
        )
        await expect(page.locator("#attached .number")).to_have_text("1")
        await page.reload()
        await expect(page.locator("#attached .number")).to_have_text("1")


async def test_a_file_that_is_no_picture_is_refused_with_the_reason(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        wrong = {"name": "page.png", "mimeType": "image/png", "buffer": b"<html>no</html>"}
        await page.set_input_files("#files", wrong)  # type: ignore[arg-type]
        await expect(page.get_by_role("alert")).to_contain_text("web page")
        await expect(page.locator("#attached li")).to_have_count(0)
        await expect(page.locator("#send")).to_be_disabled()


async def test_an_answer_is_shown_as_it_is_written_and_can_be_stopped(browser: Browser, tmp_path: Path) -> None:
    engine = ScriptedEngine(script=lambda _: "One **two** " + "and more " * 1000, pause=0.05)
    async with service(tmp_path, engine) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await ask(page, "Count")
        await expect(page.locator(".prose strong")).to_have_text("two")
        await page.get_by_role("button", name="Stop the answer").click()
        await expect(page.locator(".note")).to_have_text("(stopped)")
        await until(lambda: engine.cancelled == 1)
        await expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible()


async def test_an_answer_can_be_had_again_in_its_place(browser: Browser, tmp_path: Path) -> None:
    engine = ScriptedEngine(script=lambda _: f"Answer {len(engine.asked)}")
    async with service(tmp_path, engine) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await ask(page, "What?")
        await expect(page.locator(".prose")).to_have_text("Answer 1")
        await page.get_by_role("button", name="Answer again").click()
        await expect(page.locator(".prose")).to_have_text(["Answer 2"])


async def test_a_reload_in_the_middle_of_an_answer_reads_on(browser: Browser, tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with service(tmp_path, ScriptedEngine(gate=gate)) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await ask(page, "What?")
        await expect(page.locator(".prose")).to_contain_text("Answer")
        await page.reload()
        await expect(page.locator(".asked .words")).to_contain_text("What?")
        gate.set()
        await expect(page.locator(".prose")).to_have_text("Answer to 'What?' about [1] after 0 turns.")
        await expect(page.locator(".turn")).to_have_count(1)


async def test_the_page_reads_on_by_itself_after_a_restart(browser: Browser, tmp_path: Path) -> None:
    port = free_port()
    engine = ScriptedEngine(gate=asyncio.Event())
    async with service(tmp_path, engine, port=port) as web:
        visiting = visit(browser, web.url)
        page = await visiting.__aenter__()
        await choose(page, "red")
        await ask(page, "What?")
        await until(lambda: engine.running)
    await expect(page.locator(".status")).to_contain_text("The connection is lost")
    again = ScriptedEngine()
    async with service(tmp_path, again, port=port):
        await expect(page.locator(".prose")).to_have_text("Answer to 'What?' about [1] after 0 turns.")
        await expect(page.locator(".turn")).to_have_count(1)
        assert len(again.asked) == 1
        await visiting.__aexit__(None, None, None)


async def test_what_an_answer_contains_is_never_code(browser: Browser, tmp_path: Path) -> None:
    attack = (
        "<script>window.hit = 1</script><img src=x onerror='window.hit = 1'> [click](javascript:window.hit=1) "
        "![x](http://127.0.0.1:9/spy.png) <svg onload=window.hit=1> [fine](https://example.org)"
    )
    async with service(tmp_path, ScriptedEngine(script=lambda _: attack)) as web, visit(browser, web.url) as page:
        await choose(page, "red")
        await ask(page, "<b>bold?</b>")
        await expect(page.locator(".prose")).to_contain_text("<script>")
        await expect(page.locator(".prose a").last).to_have_attribute("rel", "noopener noreferrer nofollow")
        assert await page.locator(".prose img, .prose script, .prose svg, .asked b").count() == 0
        assert await page.evaluate("window.hit") is None


async def test_on_a_phone_in_chinese_and_dark_nothing_sticks_out(browser: Browser, tmp_path: Path) -> None:
    wide = "| " + " | ".join(["很长的列名"] * 12) + " |\n|" + "---|" * 12 + "\n\n" + "x" * 200
    async with (
        service(tmp_path, ScriptedEngine(script=lambda _: wide)) as web,
        visit(browser, web.url, **{**PHONE, "locale": "zh-CN", "color_scheme": "dark"}) as page,
    ):
        assert await page.get_attribute("html", "lang") == "zh"
        await page.get_by_role("button", name="合计金额是多少").tap()
        await expect(page.locator(".prose table")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") == 390
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 22, 24)"
        await page.get_by_role("button", name="显示对话列表").tap()
        await expect(page.locator("#conversations .current")).to_be_in_viewport()
        await page.locator(".brand").get_by_role("button", name="关闭列表").tap()
        await expect(page.locator("#conversations .current")).not_to_be_in_viewport()


async def test_everything_can_be_reached_by_keyboard_and_is_announced(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        await page.locator(".skip").press("Enter")
        await expect(page.locator("#question")).to_be_focused()
        await page.locator("[data-sample]").first.press("Enter")
        await expect(page.locator("#announcer")).to_contain_text("Answer: Answer to 'What is the total?'")
        await expect(page.locator(".answered")).not_to_have_attribute("aria-busy", "true")
        address = page.url
        await page.locator(".skip").press("Enter")
        await expect(page.locator("#question")).to_be_focused()
        await expect(page.locator(".answered")).to_have_count(1)
        assert page.url == address


async def test_try_again_stands_only_where_it_can_help(browser: Browser, tmp_path: Path) -> None:
    errors: list[Exception] = [
        BadQuestion("Your question is too long: at most {limit} characters, please.", limit=8000),
        Busy("Too many questions are waiting already. Please ask again in a minute."),
    ]
    engine = ScriptedEngine(lambda conversation: errors.pop(0) if errors else describe(conversation))
    async with service(tmp_path, engine) as web, visit(browser, web.url) as page:
        again = page.locator(".trouble button")
        await choose(page, "red")
        await ask(page, "What is it?")
        await expect(page.locator(".trouble")).to_have_count(1)
        await expect(again).to_have_count(0)
        await ask(page, "And now?")
        await expect(again).to_have_text("Try again")
        await again.click()
        await expect(page.locator(".answered .prose").last).to_contain_text("Answer to 'And now?'")


async def test_with_a_token_the_page_asks_for_it_once(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path, token="a-token-for-the-tests") as web, visit(browser, web.url) as page:
        await page.get_by_label("Token").fill("wrong")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("alert")).to_have_text("This is not the token.")
        await page.get_by_label("Token").fill("a-token-for-the-tests")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/")
        await page.wait_for_load_state("load")  # its modules have run by then
        await choose(page, "red")
        await ask(page, "In?")
        await expect(page.locator(".prose")).to_contain_text("Answer to 'In?'")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_label("Token")).to_be_visible()


async def test_the_page_shows_earlier_conversations_when_asked_to(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path) as web:
        write_conversations(tmp_path, 250)
        async with visit(browser, web.url) as page:
            await expect(page.locator("#conversations .entry")).to_have_count(200)
            await page.get_by_role("button", name="Show earlier ones").click()
            await expect(page.locator("#conversations .entry")).to_have_count(250)
            await expect(page.get_by_role("button", name="Question 200?", exact=True)).to_be_focused()
            await expect(page.get_by_role("button", name="Show earlier ones")).to_have_count(0)


async def test_pages_that_the_question_names_take_the_place_of_those_that_were_shown(
    browser: Browser, tmp_path: Path
) -> None:
    paper = {"name": "paper.pdf", "mimeType": "application/pdf", "buffer": pdf([f"page {n}" for n in range(1, 10)])}
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        await page.set_input_files("#files", paper)  # type: ignore[arg-type]
        await expect(page.locator("#attached .number")).to_have_text(["1", "2", "3", "4"])
        await expect(page.get_by_role("alert")).to_contain_text("For others, ask about “page 5”")
        await ask(page, "What is on pages 5-6?")
        receipt = page.locator(".receipt")
        await expect(receipt).to_contain_text("Pages looked at: 5-6 of 9.")
        await expect(page.locator(".shown .number")).to_have_text(["5", "6"])
        await ask(page, "And page 7?")
        await expect(receipt).to_have_count(2)
        await expect(receipt.last).to_contain_text("Pages looked at: 7 of 9.")
        await expect(page.locator(".turn").last.locator(".shown .number")).to_have_text(["7"])
        await page.reload()
        await expect(page.locator(".shown .number")).to_have_text(["5", "6", "7"])
        await expect(page.locator("#attached li")).to_have_count(0)
