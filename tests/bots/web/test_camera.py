"""A photo is taken from the page where a camera is likely: on telephones and tablets, not beside a mouse."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from core.i18n import Translator
from tests.bots.web.browser import PHONE, needs_chromium, visit
from tests.bots.web.conftest import photo, service
from tests.bots.web.hand import Hand


@needs_chromium
@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
async def test_a_photo_is_taken_on_a_phone_and_asked_about(browser: Browser, tmp_path: Path, locale: str) -> None:
    label = Translator(locale[:2]).say("Take a photo")
    async with (
        service(tmp_path) as web,
        visit(browser, web.url, **PHONE, locale=locale) as phone,
        visit(browser, web.url, locale=locale) as desk,
    ):
        await Hand.FINGER.choose(phone.get_by_role("button", name=label), ("image.jpg", "image/png", photo("blue")))
        await expect(phone.locator("#camera")).to_have_attribute("capture", "environment")  # the camera, not the files
        await expect(phone.locator("#attached .number")).to_have_text("1")
        await Hand.FINGER.ask(phone, "What is it?")
        await expect(phone.locator(".answered .prose")).to_have_text("Answer to 'What is it?' about [1] after 0 turns.")
        await expect(desk.locator("#choose")).to_be_visible()
        await expect(desk.get_by_role("button", name=label)).to_have_count(0)
