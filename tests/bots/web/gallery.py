"""Take pictures of the page, to be looked at: each scene in two widths, light and dark, in both languages.

`python -m tests.bots.web.gallery FOLDER [PART]` writes them, or only those with PART in their name.
"""

import asyncio
import itertools
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, expect

from core.conversation import Conversation
from core.i18n import Translator
from storage.store import StoreConfig
from tests.bots.web.browser import PHONE, started, visit
from tests.bots.web.conftest import Web, service
from tests.bots.web.real_answers import CODE, HTML_TABLE, LATEX, THINKING, WIDE_TABLE
from tests.core.papers import pdf
from tests.demo import sample
from tests.fakes import ScriptedEngine

ENDLESS = "The first words stay. " + "and more " * 5000
STAMP = 'It is here.\n```json\n[{"bbox_2d": [50, 440, 950, 840], "label": "total"}]\n```'
INVOICE = {"name": "invoice.png", "mimeType": "image/png", "buffer": sample("invoice")}
CHART = {"name": "chart.png", "mimeType": "image/png", "buffer": sample("chart")}
PAPER = {"name": "paper.pdf", "mimeType": "application/pdf", "buffer": pdf([f"page {n}" for n in range(1, 10)])}
ASKED = {
    "en": ("What is the total?", "Where is it?", "Explain the code and the formula", "Long?"),
    "zh": ("合计金额是多少？", "它在哪里？", "请解释代码和公式", "很长？"),
}
SIZES: dict[str, dict[str, Any]] = {"390": PHONE, "1280": {"viewport": {"width": 1280, "height": 820}}}


def script(conversation: Conversation) -> str:
    text = conversation.turns[-1].text
    for words, answer in zip(
        zip(*ASKED.values(), strict=True),
        (THINKING + HTML_TABLE, STAMP, CODE + LATEX + WIDE_TABLE, ENDLESS),
        strict=True,
    ):
        if text in words:
            return answer
    return "**120.50 EUR**"


class Engine(ScriptedEngine):
    def __init__(self) -> None:
        super().__init__(script, pause=0.002)


class Visit:
    """One look at everything, by whoever has this window, these colours and this language."""

    def __init__(self, page: Page, web: Web, language: str, save: Callable[[str], Awaitable[None]]) -> None:
        self.page, self.web, self.language, self.save = page, web, language, save
        self.say = Translator(language).say
        self.asked = ASKED[language]

    async def ask(self, question: str) -> None:
        await self.page.fill("#question", question)
        await self.page.locator("#send").click()

    async def answered(self, count: int) -> None:
        await expect(self.page.locator(".actions")).to_have_count(count)

    def button(self, label: str, **values: object) -> Any:
        return self.page.get_by_role("button", name=self.say(label, **values)).first

    async def all(self) -> None:
        page, save = self.page, self.save
        narrow = await page.locator("#open-sidebar").is_visible()
        await expect(page.locator("#welcome img").first).to_have_js_property("complete", True)
        await save("start")
        await page.set_input_files("#files", [INVOICE, CHART])  # type: ignore[arg-type]
        await expect(page.locator("#attached .number")).to_have_count(2)
        await save("chosen")
        await self.ask(self.asked[0])
        await self.answered(1)
        await save("answer")
        await self.ask(self.asked[1])
        await self.answered(2)
        await expect(page.locator(".marked img")).to_have_js_property("complete", True)
        await save("boxes")
        await page.locator(".marked .view").click()
        await save("viewer")
        await page.locator("#select-part").click()
        await save("part")
        await page.keyboard.press("Escape")
        await self.ask(self.asked[2])
        await self.answered(3)
        await save("long answer")
        await page.evaluate("scroller.scrollTop -= 900")
        await save("long answer above")
        await page.locator(".turn.last").get_by_role("button", name=self.say("Ask in other words")).click()
        await page.evaluate("scroller.scrollTop = document.querySelector('.turn.last').offsetTop")
        await save("edit")
        await page.locator(".turn.last textarea").fill(self.asked[0])
        await page.locator(".turn.last .edit .primary").click()
        await expect(page.locator(".versions")).to_be_visible()
        await save("versions")
        if not narrow:
            await self.button("Side by side").click()
            await expect(page.locator(".paired .earlier")).to_be_visible()
            await save("side by side")
        await self.ask(self.asked[3])
        await expect(page.locator(".writing .prose")).to_contain_text("stay.")
        await self.ask(self.asked[0])
        await self.ask(self.asked[1])
        await save("line")
        await self.ask(self.asked[2])
        await self.ask(self.asked[2])
        await save("full line")
        await page.fill("#question", "")
        for _ in range(3):
            await self.button("Take it back").click()
            await page.fill("#question", "")
        await page.locator("#stop").click()
        await expect(page.locator(".note")).to_be_visible()
        await page.locator("[data-new]:visible").first.click()
        await page.set_input_files("#files", PAPER)  # type: ignore[arg-type]
        await expect(page.locator("#attached .number")).to_have_count(4)
        await expect(page.locator("#pages img").first).to_have_js_property("complete", True)
        await save("pages")
        await self.ask(self.asked[0])
        await self.answered(1)
        await save("pages asked")
        if narrow:
            await page.locator("#open-sidebar").click()
            await page.wait_for_timeout(400)
        await save("history")
        entry = page.locator("#conversations .entry").nth(1)
        await entry.hover()
        await entry.locator(".quiet").click()
        await save("menu")
        await page.locator("#menu").get_by_text(self.say("Share by a link"), exact=True).click()
        await expect(page.locator("#share")).to_be_visible()
        link = await page.input_value("#link")
        await save("share")
        await page.keyboard.press("Escape")
        await entry.hover()
        await entry.locator(".quiet").click()
        await page.locator("#menu").get_by_text(self.say("Rename"), exact=True).click()
        await save("rename")
        await page.keyboard.press("Escape")
        await entry.hover()
        await entry.locator(".quiet").click()
        await page.locator("#menu").get_by_text(self.say("Delete"), exact=True).click()
        await save("undo")
        await page.locator("#undo button").click()
        await expect(page.locator(".turn")).not_to_have_count(1)  # it is opened
        if narrow:
            await expect(page.locator("main")).not_to_have_attribute("inert", "")
            await page.locator("#open-sidebar").click()
            await page.wait_for_timeout(400)
        await page.fill("#search", "nothing like it")
        await expect(page.locator("#conversations .none")).to_be_visible()
        await save("search")
        await page.fill("#search", "")
        await page.locator("#open-settings").click()
        await expect(page.locator("#settings")).to_be_visible()
        await save("settings")
        await page.locator("#settings").evaluate("it => it.scrollTop = it.scrollHeight")
        await save("settings below")
        await page.keyboard.press("Escape")
        await page.goto(link)
        await save("shared")


@asynccontextmanager
async def visiting(
    browser: Browser, folder: Path, size: str, scheme: str, language: str, part: str
) -> AsyncIterator[Visit]:
    async def save(scene: str) -> None:
        name = f"{scene} {size} {scheme} {language}"
        if part in name:
            await page.wait_for_timeout(250)  # what moves has come to rest
            await page.screenshot(path=folder / f"{name}.png".replace(" ", "-"))

    locale = "zh-CN" if language == "zh" else "en-US"
    look = {**SIZES[size], "color_scheme": scheme, "locale": locale}
    with tempfile.TemporaryDirectory() as place:
        async with (
            service(Path(place), Engine(), storage=StoreConfig(ratings=True)) as web,
            visit(browser, web.url, **look) as page,
        ):
            yield Visit(page, web, language, save)


async def main(folder: Path, part: str) -> None:
    async with started() as browser:
        for size, scheme, language in itertools.product(SIZES, ("light", "dark"), ASKED):
            async with visiting(browser, folder, size, scheme, language, part) as look:
                await look.all()
            print(size, scheme, language, flush=True)


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    asyncio.run(main(Path(sys.argv[1]), " ".join(sys.argv[2:])))
