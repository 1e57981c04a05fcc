"""How somebody reaches what is on the page: with a mouse, with the keyboard alone, or with a finger on a phone."""

from enum import StrEnum
from typing import Any

from playwright.async_api import Download, Locator, Page, expect

from core.i18n import Translator
from tests.bots.web.browser import PHONE

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
