"""What travels before the first question: little, and styles and scripts only once."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Request, expect

from tests.bots.web.browser import needs_chromium
from tests.bots.web.conftest import service

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="session")]

MOST_BYTES = 150_000


async def bodies(page: Page, url: str) -> dict[str, int]:
    """Open the page, and return the bytes of each body as they travelled, by path."""
    finished: list[Request] = []

    def note(request: Request) -> None:
        finished.append(request)

    page.on("requestfinished", note)
    await page.goto(url)
    await expect(page.locator("#conversations .none")).to_be_visible()
    page.remove_listener("requestfinished", note)
    sizes = await asyncio.gather(*(request.sizes() for request in finished))
    return {it.url.removeprefix(url): size["responseBodySize"] for it, size in zip(finished, sizes, strict=True)}


async def test_little_travels_before_the_first_question_and_less_the_second_time(
    browser: Browser, tmp_path: Path
) -> None:
    async with service(tmp_path) as web, await browser.new_context() as context:
        page = await context.new_page()
        first = await bodies(page, web.url)
        again = await bodies(page, web.url)
    assert "/static/page.js" in first
    assert 0 < sum(first.values()) < MOST_BYTES
    assert sum(size for path, size in again.items() if path.startswith("/static/")) == 0
