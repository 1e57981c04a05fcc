"""Everything that the page can do, walked through in a real browser: by mouse, by keyboard, on a phone, in the dark."""

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from core.i18n import Translator
from storage.store import StoreConfig
from tests.bots.web.browser import PHONE, needs_chromium, visit
from tests.bots.web.conftest import photo, service
from tests.bots.web.hand import Hand
from tests.core.papers import pdf
from tests.fakes import ScriptedEngine

pytestmark = [needs_chromium, pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="module")]

ANSWER = (
    "| Item | Price |\n|---|---|\n| Paper | 3 |\n\n"
    + "A-sentence-that-goes-on.\n" * 130  # few words: each is a piece with a pause before it
    + '\n\nThe stamp:\n```json\n[{"bbox_2d": [100, 100, 500, 500], "label": "stamp"}]\n```'
)
LISTEN = """() => {
  window.heard = [];
  const announcer = document.getElementById("announcer");
  new MutationObserver((changes) => changes.forEach((it) => it.addedNodes.forEach((node) => heard.push(node.data))))
    .observe(announcer, { childList: true });
}"""
DARK = {"color_scheme": "dark"}
WALKS: dict[str, tuple[Hand, dict[str, Any]]] = {
    "by mouse in the dark": (Hand.MOUSE, DARK),
    "by keyboard": (Hand.KEYBOARD, {"locale": "zh-CN"}),
    "on a phone in the dark": (Hand.FINGER, {**PHONE, **DARK, "locale": "zh-CN"}),
}


@pytest.mark.parametrize("walk", WALKS)
async def test_every_feature_of_the_page(browser: Browser, tmp_path: Path, walk: str) -> None:
    hand, look = WALKS[walk]
    say = Translator(look.get("locale")).say
    engine = ScriptedEngine(script=lambda _: ANSWER, pause=0.05)
    async with (
        service(tmp_path, engine, storage=StoreConfig(ratings=True)) as web,
        visit(browser, web.url, **look) as page,
    ):
        await _sound(page)
        add = page.locator("#choose")
        large = ("large.png", "image/png", photo("white", (2400, 2400)))
        paper = ("paper.pdf", "application/pdf", pdf(["one", "two", "three"]))
        await hand.choose(add, large, paper)
        numbers = page.locator("#attached .number")
        await expect(numbers).to_have_text(["1", "2", "3", "4"])
        await hand.press(page.get_by_role("button", name=say("Remove picture {number}", number=2)))
        await expect(numbers).to_have_text(["1", "3", "4"])

        await page.evaluate(LISTEN)
        await hand.ask(page, "Where is the stamp in picture 1?")
        await expect(page.locator(".receipt")).to_contain_text("2400×2400")
        waiting = say("You are number {place} in line, about {seconds} s …", place=1, seconds=2)
        assert waiting in await page.evaluate("window.heard")
        await expect(page.locator(".prose")).not_to_contain_text("bbox")
        await expect(page.locator(".marked img")).not_to_have_js_property("naturalWidth", 0)
        await _sound(page)

        await hand.press(page.locator(".marked .view"))
        await expect(page.locator("#viewer img")).to_be_visible()
        await _sound(page)
        await hand.press(page.locator("#viewer").get_by_role("button", name=say("Close")))
        table = await hand.save(page.get_by_role("link", name=say("Table as CSV")))
        assert (await table.path()).read_bytes() == b"\xef\xbb\xbfItem,Price\r\nPaper,3\r\n"
        assert (await hand.save(page.get_by_role("link", name=say("As a text file")))).suggested_filename == "answer.md"

        await hand.press(page.get_by_role("button", name=say("A bad answer")))
        good = page.get_by_role("button", name=say("A good answer"))
        await hand.press(good)
        await expect(good).to_have_attribute("aria-pressed", "true")
        await page.reload()
        await expect(good).to_have_attribute("aria-pressed", "true")
        assert [turn.rating for turn in await web.store.rated()] == [1]

        await page.evaluate(LISTEN)
        await hand.press(page.get_by_role("button", name=say("Read the small print")))
        await expect(page.locator(".receipt")).to_have_count(2)
        looking = say("Looking at picture {picture} of {of} …", picture=3, of=3)
        assert looking in await page.evaluate("window.heard")
        await hand.press(page.get_by_role("button", name=say("Answer again")).last)
        await expect(page.locator(".turn.last .actions")).to_be_visible()
        shown = page.get_by_role("button", name=say("Show picture {number}", number=1))
        await expect(shown).to_have_count(2)  # the closer look is at the same picture
        await hand.press(shown.last)
        await hand.press(page.get_by_role("button", name=say("Remove from the conversation")))
        await hand.press(page.get_by_role("button", name=say("Delete"), exact=True))
        await expect(page.locator("#announcer")).to_have_text(say("Picture {number} is removed.", number=1))

        await _listed(page, hand)
        await _sound(page)
        saved = await hand.more(page, "Where is the stamp in picture 1?", "Save as a zip file")
        await _sound(page)
        assert (await hand.save(saved)).suggested_filename == "conversation.zip"
        await hand.press(page.locator("#sidebar [data-new]"))
        await expect(page.locator("#welcome")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")

        await page.goto(f"{web.url}/admin")
        await expect(page.locator(".plot")).to_be_visible()
        await _sound(page)


async def _listed(page: Page, hand: Hand) -> None:
    """The conversations, which a phone shows over the page."""
    if hand is Hand.FINGER:
        await hand.press(page.locator("#open-sidebar"))
    await expect(page.locator("#conversations .current")).to_be_in_viewport()
    assert await page.evaluate("document.documentElement.scrollHeight <= innerHeight")  # only the conversation scrolls


async def _sound(page: Page) -> None:
    """axe-core finds nothing serious on the page as it stands."""
    found = await Axe().run(page)
    serious = [v for v in found.response["violations"] if v["impact"] in ("serious", "critical")]
    assert not serious, [(v["id"], [node["html"][:120] for node in v["nodes"]]) for v in serious]
