"""What the page looks like, measured in a real browser: whole pictures, room to read, few sizes of text."""

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow
from playwright.async_api import Browser, Page, expect

from tests.bots.web.browser import PATIENCE_MS, PHONE, needs_chromium, visit
from tests.bots.web.conftest import photo, service
from tests.bots.web.real_answers import REAL_ANSWERS
from tests.bots.web.test_page import ask, choose
from tests.bots.web.test_real_answers import remember
from tests.core.papers import pdf

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="session")]

LYING: dict[str, Any] = {**PHONE, "viewport": {"width": 640, "height": 360}}
SIZES = """() => {
  const read = (it) => [...it.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  const written = [...document.body.querySelectorAll(":not(script, svg *, math *)")].filter(read);
  return [...new Set(written.map((it) => getComputedStyle(it).fontSize))].sort();
}"""


def striped(width: int, height: int) -> dict[str, object]:
    """White, with a green strip along each of the two far edges."""
    image = Pillow.new("RGB", (width, height), "white")
    tall = height > width
    strip = (width, height // 10) if tall else (width // 10, height)
    image.paste("lime", (0, 0, *strip))
    image.paste("lime", (width - strip[0], height - strip[1], width, height))
    file = io.BytesIO()
    image.save(file, "PNG")
    return {"name": "strip.png", "mimeType": "image/png", "buffer": file.getvalue()}


async def green(page: Page, selector: str, place: int) -> int:
    """So many pixels of the page are green where a picture is shown."""
    shot = await page.locator(selector).nth(place).screenshot()
    image = Pillow.open(io.BytesIO(shot)).convert("RGB")
    colours = image.getcolors(image.width * image.height) or []
    return sum(count for count, (red, green, _) in colours if green > 200 and red < 60)  # type: ignore[misc]


async def shows_edges(page: Page, selector: str, place: int) -> None:
    """Wait for the strips: a picture is loaded and drawn later than its element is there."""
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while await green(page, selector, place) <= 50:
            await asyncio.sleep(0.05)


async def test_a_document_is_seen_up_to_its_edges_in_every_small_picture(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        await page.set_input_files("#files", [striped(300, 1200), striped(1200, 300)])  # type: ignore[arg-type]
        await expect(page.locator("#attached .number")).to_have_count(2)
        for place in (0, 1):
            await shows_edges(page, "#attached .view", place)
        await ask(page, "What stands at the edges?")
        await expect(page.locator(".actions")).to_be_visible()
        for place in (0, 1):
            await shows_edges(page, ".shown .view", place)


async def test_the_pages_of_a_document_stand_together(browser: Browser, tmp_path: Path) -> None:
    paper = {"name": "paper.pdf", "mimeType": "application/pdf", "buffer": pdf(["one", "two", "three"])}
    picture = {"name": "red.png", "mimeType": "image/png", "buffer": photo("red")}
    async with service(tmp_path) as web, visit(browser, web.url) as page:
        await page.set_input_files("#files", [paper, picture])  # type: ignore[arg-type]
        await expect(page.locator("#attached .number")).to_have_text(["1", "2", "3", "4"])


async def test_on_a_low_screen_most_of_it_is_there_to_read(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path) as web, visit(browser, web.url, **LYING) as page:
        await expect(page.locator("#welcome h2")).to_be_in_viewport(ratio=1)
        await choose(page, "red", "green")
        scroller = page.locator("#scroller")
        assert await scroller.evaluate("it => it.clientHeight") > 180
        await page.fill("#question", "What is it?")
        await page.locator("#send").tap()
        await expect(page.locator(".actions")).to_be_visible()
        assert await scroller.evaluate("it => it.clientHeight") > 250
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("look", [{}, PHONE], ids=["desktop", "phone"])
async def test_text_has_three_sizes_on_every_page(browser: Browser, tmp_path: Path, look: dict[str, Any]) -> None:
    async with service(tmp_path) as web:
        path = await remember(web, "# One\n## Two\n### Three\n##### Five\n`code`", *REAL_ANSWERS.values())
        async with visit(browser, web.url, **look) as page:
            await expect(page.locator("#welcome")).to_be_visible()
            assert await page.evaluate(SIZES) == ["14px", "16px", "22px"]
            await page.goto(web.url + path)
            await page.reload()
            await expect(page.locator(".turn")).to_have_count(len(REAL_ANSWERS) + 1)
            await page.locator(".shown .view").first.click()
            await expect(page.locator("#viewer")).to_be_visible()
            assert await page.evaluate(SIZES) == ["14px", "16px", "22px"]
            for other in ("docs", "admin"):
                await page.goto(f"{web.url}/{other}")
                assert set(await page.evaluate(SIZES)) <= {"14px", "16px", "22px"}
