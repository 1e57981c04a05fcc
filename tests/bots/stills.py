"""Make the README's pictures with the demo model: conversations with a receipt, a drawn box and a CSV, and a film.

`python -m tests.bots.stills [en|zh] [FOLDER]` writes page.png, telegram.png, slack.png and first-question.webp into
docs/ or FOLDER. The film shows a first question and a look at a part of the picture, in real time.
"""

import asyncio
import io
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image as PilImage
from playwright.async_api import Browser, Page, expect

from core.engine import EngineConfig
from core.engine.engine import Engine
from core.i18n import Translator
from core.pictures.images import ImagesConfig
from tests.bots.film import Film
from tests.bots.guest import Guest, Home, Sent, opened
from tests.bots.slack import guest as slack
from tests.bots.slack import screen as slack_screen
from tests.bots.telegram import guest as telegram
from tests.bots.telegram import screen as telegram_screen
from tests.bots.web.browser import started, visit
from tests.demo import SAMPLES, sample

DOCS = Path(__file__).parents[2] / "docs"
ASKED = {
    "en": ("Which quarter is the highest?", "Where is the bar of Q4?", "Show it as a table."),
    "zh": ("哪个季度收入最高？", "Q4的柱子在哪里？", "用表格列出"),
}
FILMED = {
    "en": ("invoice-en", "What is the total?", "What is written here?"),
    "zh": ("invoice", "合计金额是多少？", "这里写了什么？"),
}
FILMED_PART = (0.01, 0.445, 0.99, 0.835)  # of the invoice: buyer, seller and total; left, top, right, bottom
SCREEN: dict[str, Any] = {"viewport": {"width": 900, "height": 640}}
LIKE_A_PHOTO = ImagesConfig(image_tokens=96)  # what the sample has; a larger photo of it is shrunk
DESKTOP: dict[str, Any] = {"viewport": {"width": 1080, "height": 1680}}
INVOICE = Sent("invoice.png", "image/png", sample("invoice"))
SCALE = 1.25  # of the chats' pixels


async def main(language: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as work:
        engine = await Engine.start(EngineConfig(model="demo", cache=Path(work) / "cache", cache_limit_gb=0))
        async with started() as browser:
            for platform, show in (("telegram", _telegram), ("slack", _slack), ("web", _page)):
                (place := Path(work) / platform).mkdir()
                async with opened(engine, place, LIKE_A_PHOTO, platform) as home:
                    name = "page" if platform == "web" else platform
                    _save(await show(home, browser, language), folder / f"{name}.png")
            (place := Path(work) / "film").mkdir()
            async with opened(engine, place, ImagesConfig(), "web") as home:
                film = await _film(home, browser, language)
                _tell(film.save(folder / "first-question.webp"))
        await engine.close()


def photo() -> Sent:
    """Return the sample chart as a camera has it, with four times its width and height."""
    data = io.BytesIO()
    picture = PilImage.open(SAMPLES / "chart.png").convert("RGB")
    picture.resize((4 * picture.width, 4 * picture.height), PilImage.Resampling.LANCZOS).save(data, "PNG")
    return Sent("chart.png", "image/png", data.getvalue())


async def _talk(guest: Guest, language: str) -> None:
    highest, where, table = ASKED[language]
    await guest.ask(highest, photo())
    await guest.ask(where)
    answer = await guest.ask(table, INVOICE)
    csv = Translator(language).say("Table as CSV")
    if csv in answer.buttons:
        await guest.press(answer, csv)


async def _telegram(home: Home, browser: Browser, language: str) -> bytes:
    async with telegram.visiting(home, language) as guest:
        await _talk(guest, language)
        return await _shot(browser, telegram_screen.page(guest.chat, guest.world), 492)


async def _slack(home: Home, browser: Browser, language: str) -> bytes:
    async with slack.visiting(home, language) as guest:
        await _talk(guest, language)
        return await _shot(browser, slack_screen.page(guest.messages, guest.workspace), 552)


async def _page(home: Home, browser: Browser, language: str) -> bytes:
    highest, where, table = ASKED[language]
    locale = "zh-CN" if language == "zh" else "en-US"
    async with visit(browser, home.address, **{**DESKTOP, "locale": locale}) as page:
        await _ask(page, highest, photo())
        await _ask(page, where)
        await _ask(page, table, INVOICE)
        await expect(page.locator(".marked img")).not_to_have_js_property("naturalWidth", 0)
        await page.evaluate("scroller.scrollTop = 0")
        return await page.screenshot()


async def _film(home: Home, browser: Browser, language: str) -> Film:
    """A first question about an invoice, and a second one about a part of it."""
    name, first, second = FILMED[language]
    locale = "zh-CN" if language == "zh" else "en-US"
    async with visit(browser, home.address, **{**SCREEN, "locale": locale}) as page:
        film, answers = Film(page), page.locator(".actions")
        await expect(page.locator("#conversations .none")).to_be_visible()  # the page has begun
        async with film.rolling():
            await asyncio.sleep(0.6)
            async with page.expect_file_chooser() as chooser:
                await film.click(page.locator("#welcome .primary"))
            file = {"name": f"{name}.png", "mimeType": "image/png", "buffer": sample(name)}
            await (await chooser.value).set_files(file)  # type: ignore[arg-type]
            await expect(page.locator("#attached .number")).to_have_count(1)
            await film.write(first)
            await expect(answers).to_have_count(1)
            await asyncio.sleep(0.8)
            await film.click(page.locator(".asked .view"))
            await film.click(page.locator("#select-part"))
            await _draw(film, page)
            await film.click(page.locator("#part-question"))
            await film.write(second)
            await expect(answers).to_have_count(2)
            await film.move(700, 560)
            await asyncio.sleep(2)
        return film


async def _draw(film: Film, page: Page) -> None:
    """A frame around the part."""
    box = await page.locator("#viewer img").bounding_box()
    assert box is not None
    left, top, right, bottom = FILMED_PART
    await film.move(box["x"] + left * box["width"], box["y"] + top * box["height"])
    await page.mouse.down()
    await film.move(box["x"] + right * box["width"], box["y"] + bottom * box["height"], 1)
    await page.mouse.up()


async def _ask(page: Page, question: str, *files: Sent) -> None:
    answers = await page.locator(".actions").count()
    for file in files:
        await page.set_input_files("#files", {"name": file.name, "mimeType": file.kind, "buffer": file.data})
        await expect(page.locator("#attached .number")).to_have_count(1)
    await page.fill("#question", question)
    await page.press("#question", "Enter")
    await expect(page.locator(".actions")).to_have_count(answers + 1)


async def _shot(browser: Browser, html: str, width: int) -> bytes:
    page = await browser.new_page(viewport={"width": width, "height": 400}, device_scale_factor=SCALE)
    await page.set_content(html)
    shot = await page.screenshot(full_page=True)
    await page.close()
    return shot


def _save(shot: bytes, path: Path) -> None:
    """Save a picture in 256 colours, so that the README loads quickly."""
    picture = PilImage.open(io.BytesIO(shot)).convert("RGB")
    picture.quantize(256, dither=PilImage.Dither.NONE).save(path, optimize=True)
    _tell(path)


def _tell(path: Path) -> None:
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    chosen, target = [*sys.argv[1:], *("en", str(DOCS))[len(sys.argv) - 1 :]][:2]
    Path(target).mkdir(parents=True, exist_ok=True)
    asyncio.run(main(chosen, Path(target)))
