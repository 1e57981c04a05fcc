"""First questions on the page: the buttons below a picture that was chosen, as on the other platforms."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from core.i18n import Translator
from core.model.description import DEMO, describe
from tests.bots.web.browser import PHONE, needs_chromium, sound, visit
from tests.bots.web.conftest import photo, service
from tests.bots.web.hand import Hand
from tests.fakes import ScriptedEngine

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="session")]

ENGLISH = ["Describe", "Read text", "As a table", "Translate", "Where is …?"]
PICTURE = ("red.png", "image/png", photo())


@pytest.mark.parametrize(
    ("hand", "look"),
    [(Hand.MOUSE, {}), (Hand.KEYBOARD, {"locale": "zh-CN"}), (Hand.FINGER, {**PHONE, "locale": "zh-CN"})],
)
async def test_a_press_asks_and_where_is_filled_in(
    browser: Browser, tmp_path: Path, hand: Hand, look: dict[str, Any]
) -> None:
    say = Translator(look.get("locale")).say
    async with service(tmp_path, ScriptedEngine()) as web, visit(browser, web.url, **look) as page:
        buttons = page.locator("#first-questions")
        await expect(buttons).to_be_hidden()
        await hand.choose(page.locator("#choose"), PICTURE)
        await expect(buttons.get_by_role("button")).to_have_text([say(label) for label in ENGLISH])
        await sound(page)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await hand.press(buttons.get_by_role("button", name=say("As a table")))
        await expect(page.locator(".turn.last .actions")).to_be_visible()
        await expect(page.locator(".asked .words")).to_contain_text(say("Give me a table."))
        await expect(buttons).to_be_hidden()

        await hand.choose(page.locator("#choose"), PICTURE)
        await hand.press(buttons.get_by_role("button", name=say("Where is …?")))
        await expect(page.locator("#question")).to_be_focused()
        await expect(buttons).to_be_hidden()  # they would replace what is being typed
        await page.keyboard.type("stamp")
        await expect(page.locator("#question")).to_have_value(say("Where is {words}?", words="stamp"))


async def test_the_demo_model_offers_only_what_it_knows(browser: Browser, tmp_path: Path) -> None:
    model = describe(str(DEMO))
    async with service(tmp_path, ScriptedEngine(), model=model) as web, visit(browser, web.url) as page:
        await Hand.MOUSE.choose(page.locator("#choose"), PICTURE)
        await expect(page.locator("#first-questions button")).to_have_text(["Read text", "As a table"])
