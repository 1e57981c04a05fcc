"""One conversation with everything that the page can do: by mouse, keyboard and finger, on each width of window.

`visit` watches throughout that the focus is never lost.
"""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from playwright.async_api import Browser, Locator, Page, expect

from core.answer import Answer, Ending
from core.conversation import Conversation
from core.events import Tell
from core.i18n import Translator
from core.sampling import Sampling
from core.settings import ConversationSettings, Length, Sharpness
from storage.store import StoreConfig
from tests.bots.web.browser import COPIED_MS, UNDO_MS, becomes, hold, needs_chromium, sound, visit
from tests.bots.web.conftest import Web, photo, service
from tests.bots.web.hand import Hand
from tests.bots.web.real_answers import CODE, HTML_TABLE, LATEX, THINKING, WIDE_TABLE
from tests.bots.web.test_browser_settings import PAPER as COLOURS
from tests.bots.web.test_document_pages import tick, ticked
from tests.bots.web.test_real_answers import CLIPBOARD, TOO_WIDE
from tests.bots.web.test_viewer import SCALE
from tests.core.nine_pages import PAPER
from tests.fakes import ScriptedEngine, describe

pytestmark = [needs_chromium, pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="session")]

FOUND = 'The stamp:\n```json\n[{"bbox_2d": [100, 100, 500, 500], "label": "stamp"}]\n```'
RICH = THINKING + HTML_TABLE + CODE + LATEX + WIDE_TABLE
ENDLESS = "The first words stay. " + "and more " * 5000
LONG, ALL = "Long?", "Read all of it"
PICTURE = ("large.png", "image/png", photo("white", (2400, 1600)))
LISTEN = """() => {
  window.heard = [];
  const announcer = document.getElementById("announcer");
  new MutationObserver((changes) => changes.forEach((it) => it.addedNodes.forEach((node) => heard.push(node.data))))
    .observe(announcer, { childList: true });
}"""
CARRY = """([name, type, data]) => {
  const carried = new DataTransfer();
  carried.items.add(new File([Uint8Array.from(atob(data), (it) => it.charCodeAt(0))], name, { type }));
  return carried;
}"""
ACROSS = "new DOMMatrix(getComputedStyle(document.getElementById('plane')).transform).e"
WIDE: dict[str, Any] = {"viewport": {"width": 1280, "height": 820}}
NARROW: dict[str, Any] = {"viewport": {"width": 390, "height": 844}}
TOUCH: dict[str, Any] = {"is_mobile": True, "has_touch": True}
DARK: dict[str, Any] = {"color_scheme": "dark"}
CHINESE: dict[str, Any] = {"locale": "zh-CN"}
WALKS: dict[str, tuple[Hand, dict[str, Any]]] = {
    "mouse, wide, dark": (Hand.MOUSE, {**WIDE, **DARK}),
    "mouse, narrow, Chinese": (Hand.MOUSE, {**NARROW, **CHINESE}),
    "keyboard, wide, Chinese": (Hand.KEYBOARD, {**WIDE, **CHINESE}),
    "keyboard, narrow, dark": (Hand.KEYBOARD, {**NARROW, **DARK}),
    "finger, wide": (Hand.FINGER, {**WIDE, **TOUCH}),
    "finger, narrow, dark, Chinese": (Hand.FINGER, {**NARROW, **TOUCH, **DARK, **CHINESE}),
}


class Talker(ScriptedEngine):
    """Finds a stamp, reads richly, talks without end, or becomes too long, as it is asked."""

    async def answer(self, conversation: Conversation, sampling: Sampling, tell: Tell) -> Answer:
        text = conversation.turns[-1].text
        self.pause = 0.02 if text == LONG or "stamp" in text else 0
        self.ending = Ending.LENGTH if text == ALL else Ending.DONE
        return await super().answer(conversation, sampling, tell)


def script(conversation: Conversation) -> str:
    text = conversation.turns[-1].text
    pages = len(conversation.turns[-1].pictures) > 1
    return FOUND if "stamp" in text else ENDLESS if text == LONG else RICH if pages else describe(conversation)


@pytest.mark.parametrize("walk", WALKS)
async def test_every_feature_of_the_page(browser: Browser, tmp_path: Path, walk: str) -> None:
    hand, look = WALKS[walk]
    permissions = ["clipboard-read", "clipboard-write"]
    async with (
        service(tmp_path, Talker(script), storage=StoreConfig(ratings=True)) as web,
        visit(browser, web.url, permissions=permissions, **look) as page,
    ):
        await Walk(page, web, hand, look).all()


@dataclass
class Walk:
    page: Page
    web: Web
    hand: Hand
    look: dict[str, Any]

    def __post_init__(self) -> None:
        self.say = Translator(self.look.get("locale")).say
        self.last = self.page.locator(".turn.last")
        self.number = self.page.locator("#attached .number")

    async def all(self) -> None:
        self.narrow = await self.page.locator("#open-sidebar").is_visible()
        await self.first_picture()
        await self.document()
        await self.reading()
        await self.line()
        await self.versions()
        await self.viewer()
        await self.more_of_it()
        await self.settings()
        await self.history()
        await self.end()

    async def press(self, label: str, within: Locator | None = None, **values: object) -> None:
        await self.hand.press(self.button(label, within, **values))

    def button(self, label: str, within: Locator | None = None, **values: object) -> Locator:
        return (within or self.page).get_by_role("button", name=self.say(label, **values), exact=True)

    async def ask(self, question: str) -> None:
        await self.hand.ask(self.page, question)

    async def answered(self) -> None:
        await expect(self.last.locator(".actions")).to_be_visible()

    async def first_picture(self) -> None:
        """It is dropped, chosen or photographed, and one of the buttons below it is filled in."""
        page, hand = self.page, self.hand
        await sound(page)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        if hand is Hand.MOUSE:
            name, kind, data = PICTURE
            carried = await page.evaluate_handle(CARRY, [name, kind, base64.b64encode(data).decode()])
            await page.dispatch_event("body", "dragenter", {"dataTransfer": carried})
            await expect(page.locator("#drop")).to_be_visible()
            await page.dispatch_event("#drop", "drop", {"dataTransfer": carried})
        else:
            await hand.choose(page.locator("#photograph" if hand is Hand.FINGER else "[data-choose]"), PICTURE)
        await expect(self.number).to_have_text(["1"])
        await sound(page)
        await page.evaluate(LISTEN)
        await self.press("Where is …?")
        await expect(page.locator("#question")).to_be_focused()
        await page.keyboard.type("stamp")
        if hand is Hand.KEYBOARD:
            await page.keyboard.press("Enter")
        else:
            await hand.press(page.locator("#send"))
        await expect(page.locator(".asked .words")).to_contain_text(self.say("Where is {words}?", words="stamp"))
        await self.answered()
        heard = await page.evaluate("window.heard")
        assert self.say("You are number {place} in line, about {seconds} s …", place=1, seconds=2) in heard
        await expect(page.locator(".receipt")).to_contain_text("2400×1600")
        await expect(page.locator(".prose")).not_to_contain_text("bbox")
        await expect(page.locator(".marked img")).to_have_js_property("complete", True)
        await sound(page)

    async def document(self) -> None:
        """Some of its pages are ticked, and described."""
        page, hand = self.page, self.hand
        await hand.choose(page.locator("#choose"), ("paper.pdf", "application/pdf", PAPER))
        await ticked(page, 1, 2, 3, 4)
        await tick(page, hand, 1)
        await tick(page, hand, 7)
        await ticked(page, 2, 3, 4, 7)
        await sound(page)
        await self.press("Describe")
        await self.answered()
        await expect(self.last.locator(".shown .view")).to_have_count(4)

    async def reading(self) -> None:
        """Thoughts are unfolded, a wide table scrolled; code and the whole answer copied, saved and rated."""
        page, hand, last = self.page, self.hand, self.last
        assert await page.evaluate(TOO_WIDE) == [0, []]
        thoughts = last.locator(".thoughts")
        await expect(thoughts.locator("p").first).to_be_hidden()
        await hand.press(thoughts.locator("summary"))
        await expect(thoughts.locator("p").first).to_be_visible()
        await expect(last.locator(".math math").first).to_be_visible()
        table = last.locator(".table").last
        await hand.across(table)
        await becomes(page, "document.querySelector('.turn.last .table:last-of-type').scrollLeft > 0")
        await hold(page, COPIED_MS)
        await self.press("Copy the code", last)
        await expect(last.locator(".code use[href='#i-done']")).to_be_visible()
        assert (await page.evaluate("navigator.clipboard.readText()")).startswith("def total(")
        await self.press("Copy the answer", last)
        await expect(last.locator(".actions use[href='#i-done']")).to_be_visible()
        plain, rows, _ = await page.evaluate(CLIPBOARD)
        assert "<think>" not in plain and rows[0][0] == "Quarter"
        csv = await hand.save(last.get_by_role("link", name=self.say("Table as CSV")))
        assert b"South & West" in (await csv.path()).read_bytes()
        await self.press("A good answer", last)
        await expect(self.button("A good answer", last)).to_have_attribute("aria-pressed", "true")
        await sound(page)

    async def line(self) -> None:
        """An answer grows while two questions wait; one is taken back, and the answer stopped."""
        page = self.page
        await self.ask(LONG)
        await expect(page.locator(".writing .prose")).to_contain_text("stay.")
        waiting = page.locator(".turn:has(.waiting)")
        for count, question in enumerate(("Second?", "Third?"), 1):
            await self.ask(question)
            await expect(waiting).to_have_count(count)
        await expect(waiting.last).to_contain_text(
            self.say("Waits for the answer before it. It is lost if you close this tab.")
        )
        await sound(page)
        await self.hand.press(self.button("Take it back", waiting.last))
        await expect(page.locator("#question")).to_have_value("Third?")
        await page.fill("#question", "")
        if self.hand is Hand.KEYBOARD:
            await page.keyboard.press("Escape")
        else:
            await self.press("Stop the answer")
        await expect(page.locator(".prose").last).to_contain_text("Answer to 'Second?'")
        await expect(page.locator(".note")).to_have_text(self.say("(stopped)"))

    async def versions(self) -> None:
        """It is answered again, then asked in other words, and its versions are read."""
        hand, last = self.hand, self.last
        await self.answered()
        await self.press("Answer again", last)
        group = last.get_by_role("group", name=self.say("Versions of this question"))
        await expect(group).to_contain_text(self.say("{place} of {count}", place=2, count=2))
        await self.press("Ask in other words", last)
        field = last.get_by_label(self.say("Your question in other words"))
        await field.fill("In other words?")
        if hand is Hand.KEYBOARD:
            await self.page.keyboard.press("Enter")
        else:
            await self.press("Ask", last)
        await expect(group).to_contain_text(self.say("{place} of {count}", place=3, count=3))
        await self.press("Earlier version", group)
        await expect(last.locator(".prose:visible")).to_contain_text("Answer to 'Second?'")
        if not self.narrow:
            await self.press("Side by side", group)
            await expect(last.locator(".prose:visible")).to_have_count(2)
        await sound(self.page)
        await self.press("Later version", group)
        await expect(last.locator(".prose:visible")).to_contain_text("Answer to 'In other words?'")

    async def viewer(self) -> None:
        """A picture is looked at closely, without what is drawn on it, and a part of it asked about."""
        page, hand = self.page, self.hand
        viewer, stage, image = page.locator("#viewer"), page.locator("#stage"), page.locator("#viewer img")
        await hand.press(page.locator(".marked .view"))
        await expect(image).to_be_visible()
        await sound(page)
        await self.press("Show what was found", viewer)
        await expect(self.button("Show what was found", viewer)).to_have_attribute("aria-pressed", "false")
        await hand.zoom(stage)
        await becomes(page, f"{SCALE} > 1.4")
        await expect(image).to_have_js_property("naturalWidth", 2400)  # what was sent
        before = await page.evaluate(ACROSS)
        if hand is Hand.KEYBOARD:
            await page.keyboard.press("ArrowLeft")
        else:
            await hand.drag(stage, (0.3, 0.5), (0.5, 0.5))
        await becomes(page, f"{ACROSS} > {before}")
        saved = await hand.save(viewer.get_by_role("link", name=self.say("The original file")))
        assert (await saved.path()).read_bytes() == PICTURE[2]
        for label, number in (("Next picture", 3), ("Previous picture", 1)):  # picture 2 was page 1
            await self.press(label, viewer)
            await expect(viewer.locator(".caption")).to_have_text(self.say("Picture {number}", number=number))
        await self.press("Ask about a part", viewer)
        await expect(page.locator("#part")).to_be_focused()
        if hand is Hand.KEYBOARD:
            for _ in range(10):
                await page.keyboard.press("ArrowLeft")
                await page.keyboard.press("Shift+ArrowRight")
        else:
            await hand.drag(stage, (0, 0.25), (0.75, 0.75))
        await sound(page)
        await page.fill("#part-question", "What is here?")
        await hand.press(page.locator("#ask-part button"))
        await expect(viewer).to_be_hidden()
        await self.answered()
        await expect(self.last.locator(".receipt")).to_contain_text("0–75 %")  # of picture 1 from the left

    async def more_of_it(self) -> None:
        """What became too long goes on; small print is read again."""
        page = self.page
        await self.ask(ALL)
        await self.press("Go on", self.last)
        await expect(self.last.locator(".words")).to_contain_text(self.say("Go on."))
        await self.answered()
        await page.evaluate(LISTEN)
        count = await page.locator(".turn").count()
        await self.press("Read the small print", page.locator(".turn").first)
        await expect(page.locator(".turn")).to_have_count(count + 1)
        await self.answered()
        assert self.say("Looking at picture {picture} of {of} …", picture=1, of=1) in await page.evaluate(
            "window.heard"
        )

    async def settings(self) -> None:
        """The conversation is given instructions, and the browser other colours."""
        page, hand = self.page, self.hand
        panel = page.locator("#settings")
        await self.list()
        await hand.press(page.locator("#open-settings"))
        await page.get_by_label(self.say("Instructions"), exact=True).fill("Be friendly.")
        await page.get_by_label(self.say("Length of the answers")).select_option("short")
        await page.get_by_label(self.say("Sharpness of the pictures")).select_option("high")
        await sound(page)
        await self.press("Save", panel)
        await expect(panel).to_be_hidden()
        wanted = ConversationSettings("Be friendly.", length=Length.SHORT, sharpness=Sharpness.HIGH)
        assert await self.web.store.settings(page.url.partition("#")[2]) == wanted
        dark = "color_scheme" in self.look
        await hand.press(page.locator("#open-settings"))
        for other in ("light", "dark") if dark else ("dark", "light"):
            await page.get_by_label(self.say("Colours")).select_option(other)
            await expect(page.locator("body")).to_have_css("background-color", COLOURS[other])
        await self.press("Close", panel)
        await expect(panel).to_be_hidden()

    async def history(self) -> None:
        """The list: searched, renamed, pinned, shared until that is taken back, saved, deleted and had back."""
        page, hand = self.page, self.hand
        title = self.say("Where is {words}?", words="stamp")
        names = page.locator("#conversations .name")
        await self.list()
        await sound(page)
        await page.get_by_role("searchbox").fill("no such words")
        await expect(page.locator("#conversations .none")).to_have_text(self.say("Nothing was found."))
        await page.get_by_role("searchbox").fill("")
        await hand.press(await hand.more(page, title, "Pin to the top"))
        await expect(page.locator("#conversations .when")).to_have_text([self.say("Pinned")])
        await hand.press(await hand.more(page, title, "Rename"))
        await page.fill("#name", "Stamps")
        await self.press("Save", page.locator("#rename"))
        await expect(names).to_have_text(["Stamps"])
        saved = await hand.save(await hand.more(page, "Stamps", "Save as a zip file"))
        assert saved.suggested_filename == "conversation.zip"

        await hand.press(await hand.more(page, "Stamps", "Share by a link"))
        await expect(page.locator("#share")).to_be_visible()
        await sound(page)
        link = await page.input_value("#link")
        assert (await page.request.get(link)).ok
        async with page.expect_response(lambda it: it.request.method == "DELETE"):
            await self.press("Stop sharing")
        assert (await page.request.get(link)).status == 404

        await hold(page, UNDO_MS)
        await hand.press(await hand.more(page, "Stamps", "Delete"))
        await expect(names).to_have_count(0)
        if hand is Hand.KEYBOARD:
            await expect(self.button("Undo")).to_be_focused()
        await self.press("Undo")
        await self.answered()

    async def end(self) -> None:
        """A picture is removed; what is left is read on a low screen and on paper, and in another language."""
        page, hand = self.page, self.hand
        await hand.press(page.get_by_role("button", name=self.say("Show picture {number}", number=1)).first)
        await self.press("Remove from the conversation")
        await self.press("Delete", page.locator("#confirm"))
        await expect(page.locator("#announcer")).to_have_text(self.say("Picture {number} is removed.", number=1))
        size = page.viewport_size
        assert size is not None
        await page.set_viewport_size({"width": 640, "height": 360})
        assert await page.locator("#scroller").evaluate("it => it.clientHeight") > 230
        assert await page.evaluate(TOO_WIDE) == [0, []]
        await page.set_viewport_size(size)
        printed = pypdfium2.PdfDocument(await page.pdf())
        text = "".join(leaf.get_textpage().get_text_bounded() for leaf in printed)
        assert "stamp" in text and "In other words?" in text
        await self.list()
        await hand.press(page.locator("#open-settings"))
        other = "en" if "locale" in self.look else "zh"
        await page.locator("#browser-language").select_option(other)
        await expect(page.locator("html")).to_have_attribute("lang", other)
        await expect(page.locator(".turn .actions").last).to_be_visible()
        await sound(page)

    async def list(self) -> None:
        """The conversations, which lie over the page where it is narrow."""
        if self.narrow and "listing" not in (await self.page.get_attribute("body", "class") or ""):
            await self.hand.press(self.page.locator("#open-sidebar"))
        await expect(self.page.locator("#conversations .current")).to_be_in_viewport()
        assert await self.page.evaluate("document.documentElement.scrollHeight <= innerHeight")
