"""Looking closely at pictures on the page: zooming, turning over, and asking about a part, with every kind of hand."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from core.answer import Ending
from core.conversation import Conversation
from tests.bots.web.browser import PHONE, becomes, needs_chromium, sound, visit
from tests.bots.web.conftest import Web, photo, service
from tests.bots.web.hand import Hand
from tests.fakes import ScriptedEngine

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="session")]

STAMP = '[{"bbox_2d": [100, 100, 500, 500], "label": "stamp"}]'
SCALE = "new DOMMatrix(getComputedStyle(document.getElementById('plane')).transform).a"
WHOLE = """(({ height }) => height > 100 && Math.abs(height - document.querySelector("#viewer img").clientHeight) < 1)(
  document.getElementById("stage").getBoundingClientRect())"""  # nothing of the picture is cut off
HANDS: dict[str, tuple[Hand, dict[str, Any]]] = {
    "mouse": (Hand.MOUSE, {}),
    "keyboard": (Hand.KEYBOARD, {}),
    "finger": (Hand.FINGER, PHONE),
}


async def framed(page: Page) -> tuple[float, float]:
    """Return where the frame begins and ends, in hundredths of the picture's height."""
    top, height = await page.locator("#part").evaluate("it => [it.style.top, it.style.height].map(parseFloat)")
    return top, top + height


def seen(conversation: Conversation) -> str:
    shown = conversation.turns[-1].pictures
    return " ".join(f"{it.number} {it.image.original_size} {it.part and it.part.region.corners}" for it in shown)


async def open_two(page: Page, web: Web, hand: Hand) -> None:
    """Two answered pictures, of which the first is looked at."""
    first = {"image": photo("white", (2400, 1600))}
    asked = await web.client.post("/api/v1/analyze", data={"query": "One?"}, files=first)
    await web.ask("Two?", "red", conversation=asked.json()["conversation"])
    await page.goto(f"{web.url}/#{asked.json()['conversation']}")
    await page.reload()
    await hand.press(page.get_by_role("button", name="Show picture 1"))


@pytest.mark.parametrize("kind", HANDS)
async def test_a_part_is_chosen_and_asked_about(browser: Browser, tmp_path: Path, kind: str) -> None:
    hand, look = HANDS[kind]
    async with service(tmp_path, ScriptedEngine(script=seen)) as web, visit(browser, web.url, **look) as page:
        await open_two(page, web, hand)
        await sound(page)
        await hand.press(page.get_by_role("button", name="Ask about a part"))
        part = page.locator("#part")
        await expect(part).to_be_focused()
        if hand is Hand.KEYBOARD:  # from the middle half to the upper left
            for _ in range(10):
                await page.keyboard.press("ArrowLeft")
                await page.keyboard.press("ArrowUp")
                await page.keyboard.press("Shift+ArrowRight")
        else:
            await hand.drag(page.locator("#stage"), (0, 0), (0.75, 0.5))
        await sound(page)
        await page.fill("#part-question", "What is here?")
        await hand.press(page.locator("#ask-part button"))
        await expect(page.locator("#viewer")).to_be_hidden()
        answer = page.locator(".turn.last .prose")
        if hand is Hand.KEYBOARD:
            await expect(answer).to_have_text("3 (1800, 800) (0.0, 0.0, 750.0, 500.0)")
        else:
            await expect(answer).to_contain_text("3 (1")  # a hand is not exact to the pixel
        await expect(page.locator(".turn.last .receipt")).to_contain_text("cut out of picture 1: 0–75 %")
        await expect(page.get_by_role("button", name="Show picture 3")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
async def test_a_finger_draws_a_frame_from_the_edges_of_the_picture(
    browser: Browser, tmp_path: Path, width: int, scheme: str
) -> None:
    """Browsers take a finger near a button for one on it."""
    look = {**PHONE, "viewport": {"width": width, "height": 844}, "color_scheme": scheme}
    async with service(tmp_path) as web, visit(browser, web.url, **look) as page:
        await open_two(page, web, Hand.FINGER)
        stage = page.locator("#stage")
        await page.get_by_role("button", name="Ask about a part").tap()
        for across in (0.05, 0.5, 0.95):  # below the caption, and below buttons
            await Hand.FINGER.drag(stage, (across, 0), (0.75, 0.5))
            assert abs((await framed(page))[0]) < 1
            await Hand.FINGER.drag(stage, (across, 1), (0.75, 0.5))
            assert abs((await framed(page))[1] - 100) < 1
        assert await page.evaluate(WHOLE)


async def test_a_drag_from_beside_the_picture_into_it_leaves_the_viewer_open(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        await open_two(page, web, Hand.MOUSE)
        viewer, box = page.locator("#viewer"), await page.locator("#stage").bounding_box()
        assert box is not None
        await page.mouse.move(box["x"] + 20, box["y"] - 3)
        await page.mouse.down()
        await page.mouse.move(box["x"] + 200, box["y"] + 200, steps=5)
        await page.mouse.up()
        await expect(viewer).to_be_visible()
        await page.mouse.click(5, 5)
        await expect(viewer).to_be_hidden()


@pytest.mark.parametrize("kind", HANDS)
async def test_one_zooms_in_and_turns_over(browser: Browser, tmp_path: Path, kind: str) -> None:
    hand, look = HANDS[kind]
    async with service(tmp_path) as web, visit(browser, web.url, **look) as page:
        await open_two(page, web, hand)
        viewer, image = page.locator("#viewer"), page.locator("#viewer img")
        await expect(image).to_have_js_property("naturalWidth", 1216)
        await hand.zoom(page.locator("#stage"))
        await becomes(page, f"{SCALE} > 1.4")
        await expect(image).to_have_js_property("naturalWidth", 2400)  # what was sent
        await hand.press(viewer.get_by_role("button", name="Smaller"))
        await hand.press(viewer.get_by_role("button", name="Smaller"))
        await becomes(page, f"{SCALE} === 1")
        await hand.press(viewer.get_by_role("button", name="Next picture"))
        await expect(viewer.locator(".caption")).to_have_text("Picture 2")
        await expect(image).to_have_js_property("naturalWidth", 64)
        await page.keyboard.press("ArrowLeft")
        await expect(viewer.locator(".caption")).to_have_text("Picture 1")
        saved = await hand.save(viewer.get_by_role("link", name="The original file"))
        assert (await saved.path()).read_bytes() == photo("white", (2400, 1600))
        await hand.press(viewer.get_by_role("button", name="Close"))
        await expect(page.get_by_role("button", name="Show picture 1")).to_be_focused()


async def test_drawn_boxes_can_be_switched_off(browser: Browser, tmp_path: Path) -> None:
    engine = ScriptedEngine(script=lambda _: STAMP)
    async with service(tmp_path, engine) as web, visit(browser, web.url) as page:
        conversation = (await web.ask("Where?", "red")).json()["conversation"]
        await page.goto(f"{web.url}/#{conversation}")
        await page.reload()
        await page.locator(".marked .view").click()
        image, boxes = page.locator("#viewer img"), page.get_by_role("button", name="Show what was found")
        await expect(image).to_have_attribute("src", re_of("marked/1.png"))
        await boxes.click()
        await expect(boxes).to_have_attribute("aria-pressed", "false")
        await expect(image).to_have_attribute("src", re_of("pictures/1"))


@pytest.mark.parametrize("where", ["here", "elsewhere"])
async def test_a_picture_that_is_removed_takes_along_what_was_marked_in_it(
    browser: Browser, tmp_path: Path, where: str
) -> None:
    """Also below a later question, which has no picture of its own."""
    engine = ScriptedEngine(script=lambda it: STAMP if "Where" in it.turns[-1].text else "A letter.")
    async with service(tmp_path, engine, shared_list=True) as web:
        conversation = await web.begin()
        await web.ask("Where?", conversation=conversation)
        async with visit(browser, web.url, f"/#{conversation}") as page:
            await expect(page.locator(".marked .view")).to_have_count(1)
            address = f"/api/v1/conversations/{conversation}"
            if where == "here":
                await page.locator(".marked .view").click()
                await page.get_by_role("button", name="Remove from the conversation").click()
                await page.locator("#confirm").get_by_role("button", name="Delete").click()
            else:
                assert (await web.client.delete(f"{address}/pictures/1")).is_success
                # The list tells no removals, and shows that it was set anew.
                assert (await web.client.put(f"{address}/settings", json={"length": "short"})).is_success
                await page.evaluate("dispatchEvent(new Event('focus'))")
            await expect(page.locator(".shown .view")).to_have_count(0)
            await expect(page.locator(".marked .view")).to_have_count(0)
            await expect(page.locator(".turn")).to_have_count(2)


async def test_an_answer_that_is_too_long_can_go_on(browser: Browser, tmp_path: Path) -> None:
    engine = ScriptedEngine(ending=Ending.LENGTH)
    async with service(tmp_path, engine) as web, visit(browser, web.url) as page:
        conversation = (await web.ask("Read all of it", "red")).json()["conversation"]
        await page.goto(f"{web.url}/#{conversation}")
        await page.reload()
        await page.get_by_role("button", name="Go on").press("Enter")
        await expect(page.locator(".turn.last .prose")).to_have_text("Answer to 'Go on.' about [] after 1 turns.")
        await expect(page.get_by_role("button", name="Go on")).to_have_count(1)  # of the last answer


def re_of(part: str) -> Any:
    return re.compile(re.escape(part))
