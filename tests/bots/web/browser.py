"""A real headless Chromium, and what a person does in it."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, Locator, Page, Request, async_playwright, expect

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), None)
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE_MS = 60_000  # the machine may be busy
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
# Whoever uses a keyboard or a screen reader starts again at the top of the page when the focus falls to its body.
WATCH_FOCUS = """
let held = null;
(function watch() {
  const now = document.activeElement;
  const shown = (it) => it.isConnected && it.checkVisibility({ visibilityProperty: true });
  const there = (it) => shown(it) && !it.disabled && !it.closest("[inert]");
  if (now && now !== document.body) held = now;
  else if (held) {
    if (!there(held)) console.error(`focus lost by ${held.outerHTML.slice(0, 120)}`);
    held = null;
  }
  requestAnimationFrame(watch);
})();
"""
SERIOUS = """async () => {
  const { violations } = await axe.run({ resultTypes: ["violations"] });
  const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  return serious.map(({ id, nodes }) => [id, nodes.map(({ html }) => html.slice(0, 120))]);
}"""
COPIED_MS, UNDO_MS = 1600, 8000  # for which the page shows that it has copied, and that a deletion can be taken back
HOLD = """(held) => {
  window.later ??= [];
  const wait = window.setTimeout;
  window.setTimeout = (act, ms) => (ms === held ? void later.push(act) : wait(act, ms));
}"""
expect.set_options(timeout=PATIENCE_MS)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None,
    reason="the page is not tested: there is no Chromium here; `make system` installs it where it may",
)


@asynccontextmanager
async def started() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, timeout=0)
        yield browser
        await browser.close()


@asynccontextmanager
async def visit(browser: Browser, url: str, path: str = "/", **context: Any) -> AsyncIterator[Page]:
    """A page in a fresh profile.

    Afterwards: nothing was loaded from elsewhere, nothing was complained about, and the focus was never lost.
    """
    settings: dict[str, Any] = {"viewport": {"width": 1280, "height": 820}, "locale": "en-US", **context}
    profile = await browser.new_context(**settings)
    try:
        await profile.add_init_script(WATCH_FOCUS)
        page = await profile.new_page()
        page.set_default_timeout(PATIENCE_MS)
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: _hear(message.type, message.text, complaints))
        page.on("request", lambda request: _watch(request, url, complaints))
        await page.goto(url + path)
        yield page
        assert not complaints, complaints
    finally:
        await profile.close()


async def shows(locator: Locator, *texts: str) -> None:
    """Expect one element for each text, with its words. A list of texts alone is found among more elements, too."""
    await expect(locator).to_have_count(len(texts))
    await expect(locator).to_contain_text(texts)


async def becomes(page: Page, expression: str) -> None:
    """Wait until it is true; `wait_for_function` would need what the page's policy forbids, once it looks again."""
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while not await page.evaluate(expression):
            await asyncio.sleep(0.05)


async def hold(page: Page, milliseconds: int) -> None:
    """Let what the page does after so long wait in its list `later`, until a test calls it."""
    await page.evaluate(HOLD, milliseconds)


async def sound(page: Page) -> None:
    """axe-core, half a megabyte that each page gets once, finds nothing serious on the page as it stands."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE_SCRIPT)
    serious = await page.evaluate(SERIOUS)
    assert not serious, serious


def _hear(kind: str, text: str, complaints: list[str]) -> None:
    # A refused request is how some tests begin, and a lost connection how others do: the page's words are tested there.
    if kind == "error" and not text.startswith("Failed to load resource"):
        complaints.append(text)


def _watch(request: Request, url: str, complaints: list[str]) -> None:
    origin = "/".join(url.split("/")[:3])
    if not request.url.startswith((url, f"blob:{origin}/", "data:image")):
        complaints.append(f"loads {request.url}")
