"""Photographs the page for the README, with the demo model: `python -m tests.bots.web.portraits`."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import Page, expect

from core.engine import Config as EngineConfig
from core.engine.engine import Engine
from tests.bots.web.browser import PHONE, started, visit
from tests.bots.web.conftest import service

DOCS = Path(__file__).parents[3] / "docs"
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 860}, "device_scale_factor": 1.5}
INVOICE = ("What is the total?", "What is the tax rate?", "Where is the total?")
CHART = ("哪个季度收入最高", "哪个季度收入最低？")


async def main() -> None:
    DOCS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        config = EngineConfig.model_validate({"model": "demo", "cache": f"{folder}/cache"})
        engine = await Engine.start(config)
        async with started() as browser, service(Path(folder), engine) as web:
            async with visit(browser, web.url, **DESKTOP) as page:
                await _talk(page, INVOICE)
                await page.screenshot(path=DOCS / "page.png")
            phone: dict[str, Any] = {**PHONE, "locale": "zh-CN", "color_scheme": "dark", "device_scale_factor": 2}
            async with visit(browser, web.url, **phone) as page:
                await _talk(page, CHART)
                await page.screenshot(path=DOCS / "phone.png")
            async with visit(browser, web.url, "/admin", **DESKTOP) as page:
                await page.screenshot(path=DOCS / "admin.png")
        await engine.close()


async def _talk(page: Page, questions: tuple[str, ...]) -> None:
    """The first question is a sample's; the others are typed."""
    await page.locator("[data-sample]", has_text=questions[0]).click()
    for number, question in enumerate(questions, 1):
        if number > 1:
            await page.fill("#question", question)
            await page.click("#send")
        await expect(page.locator(".actions")).to_have_count(number)
    await page.wait_for_timeout(1500)  # until a drawn picture has been loaded and scrolled to


if __name__ == "__main__":
    asyncio.run(main())
