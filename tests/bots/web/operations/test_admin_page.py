"""The operator's page in a real browser: axis, units, how it renews itself, and the way to an answer's stages."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from core.engine.stats import EngineStats
from tests.bots.web.browser import needs_chromium, sound, visit
from tests.bots.web.conftest import service

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="session")]


async def test_a_slow_answer_leads_to_its_stages_also_while_the_page_renews_itself(
    browser: Browser, tmp_path: Path
) -> None:
    figures = EngineStats(kv_bytes=3 * 1048576, decode_s=2.5)
    async with service(tmp_path, engine_stats=lambda: figures) as web:
        for _ in range(12):
            await web.ask("What?", "red")
        async with visit(browser, web.url, "/admin") as page:
            await expect(page.locator(".seconds span").last).to_have_text("0 s")
            link, renewed = page.locator(".plot a").first, page.locator("#live time")
            before = await renewed.inner_text()
            await link.focus()
            await expect(renewed).not_to_have_text(before)
            await expect(link).to_be_focused()
            await page.keyboard.press("Enter")
            row = page.locator("tr.target")
            await expect(row).to_contain_text("web")
            before = await renewed.inner_text()
            await expect(renewed).not_to_have_text(before)
            await expect(row).to_contain_text("web")
            await expect(row.locator("td")).to_have_count(11)
            await expect(page.locator(".plot a")).to_have_count(10)
            await expect(page.locator("tr", has_text="kv").locator("td")).to_have_text("3.0 MB")
            await sound(page)
