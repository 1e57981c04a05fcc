"""How somebody reaches what is on the page: with a mouse, with the keyboard alone, or with a finger on a phone."""

from enum import StrEnum
from typing import Any

from playwright.async_api import CDPSession, Download, Locator, Page, expect

from core.i18n import Translator
from tests.bots.web.browser import PHONE

# A finger that is lifted while it still moves begins a fling, and Chromium may take the next tap as its end.
RESTS, REST_MS = 4, 60
TABS = 120  # presses of the Tab key after which something counts as out of reach


class Hand(StrEnum):
    MOUSE = "mouse"
    KEYBOARD = "keyboard"
    FINGER = "finger"

    async def press(self, target: Locator) -> None:
        await expect(target).to_be_enabled()
        match self:
            case Hand.MOUSE:
                await target.click()
            case Hand.FINGER:
                await target.tap()
            case Hand.KEYBOARD:
                await self._reach(target)
                await target.page.keyboard.press("Enter")

    async def choose(self, button: Locator, *files: tuple[str, str, bytes]) -> None:
        """In the file dialog that a button opens; a file is its name, its kind and its bytes."""
        async with button.page.expect_file_chooser() as chooser:
            await self.press(button)
        made = [{"name": name, "mimeType": kind, "buffer": data} for name, kind, data in files]
        await (await chooser.value).set_files(made)  # type: ignore[arg-type]

    async def more(self, page: Page, title: str, choice: str) -> Locator:
        """Open the menu of a conversation in the list, and return one of its choices."""
        say = Translator(await page.get_attribute("html", "lang")).say
        entry = page.locator("#conversations .entry").filter(has_text=title)
        if self is Hand.MOUSE:
            await entry.hover()  # its button shows itself
        await self.press(entry.get_by_role("button", name=say("More for “{title}”", title=title)))
        return page.locator("#menu").get_by_text(say(choice), exact=True)

    async def ask(self, page: Page, question: str) -> None:
        await page.fill("#question", question)
        if self is Hand.KEYBOARD:
            await page.press("#question", "Enter")
        else:
            await self.press(page.locator("#send"))

    async def save(self, link: Locator) -> Download:
        async with link.page.expect_download() as download:
            await self.press(link)
        return await download.value

    async def drag(self, target: Locator, begin: tuple[float, float], end: tuple[float, float]) -> None:
        """From one point of the target to another, in shares of its sides."""
        page = target.page
        (x, y), (u, v) = [await _point(target, *share) for share in (begin, end)]
        if self is Hand.MOUSE:
            await page.mouse.move(x, y)
            await page.mouse.down()
            await page.mouse.move(u, v, steps=5)
            await page.mouse.up()
            return
        fingers = await page.context.new_cdp_session(page)
        await _touch(fingers, "touchStart", (x, y))
        await _touch(fingers, "touchMove", ((x + u) / 2, (y + v) / 2))
        for _ in range(RESTS):
            await _touch(fingers, "touchMove", (u, v))
            await page.wait_for_timeout(REST_MS)
        await _touch(fingers, "touchEnd")

    async def zoom(self, target: Locator) -> None:
        page = target.page
        x, y = await _point(target, 0.5, 0.5)
        if self is Hand.KEYBOARD:
            await page.keyboard.press("+")
        elif self is Hand.MOUSE:
            await page.mouse.move(x, y)
            await page.mouse.wheel(0, -150)
        else:
            fingers = await page.context.new_cdp_session(page)
            await _touch(fingers, "touchStart", (x - 30, y), (x + 30, y))
            for apart in (40, 50, 60):
                await _touch(fingers, "touchMove", (x - apart, y), (x + apart, y))
            await _touch(fingers, "touchEnd")

    async def across(self, target: Locator) -> None:
        """Scroll what is wider than its frame."""
        await target.scroll_into_view_if_needed()
        if self is Hand.KEYBOARD:
            await self._reach(target)
            await target.page.keyboard.press("ArrowRight")
        elif self is Hand.MOUSE:
            await target.hover()
            await target.page.mouse.wheel(120, 0)
        else:
            await self.drag(target, (0.8, 0.5), (0.2, 0.5))

    async def _reach(self, target: Locator) -> None:
        """By the Tab key, from wherever the focus is."""
        for _ in range(TABS):
            if await target.evaluate("it => it === document.activeElement"):
                return
            await target.page.keyboard.press("Tab")
        raise AssertionError(f"the keyboard does not reach {target}")


LOOKS: dict[Hand, dict[str, Any]] = {  # what each sees, so that both schemes and both languages are there
    Hand.MOUSE: {"color_scheme": "dark"},
    Hand.KEYBOARD: {"locale": "zh-CN"},
    Hand.FINGER: {**PHONE, "locale": "zh-CN"},
}


async def _point(target: Locator, across: float, down: float) -> tuple[float, float]:
    box = await target.bounding_box()
    assert box is not None
    return box["x"] + 1 + across * (box["width"] - 2), box["y"] + 1 + down * (box["height"] - 2)


async def _touch(fingers: CDPSession, kind: str, *points: tuple[float, float]) -> None:
    touches = [{"x": x, "y": y, "id": index} for index, (x, y) in enumerate(points)]
    await fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
