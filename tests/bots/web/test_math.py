"""Formulas in a real browser: KaTeX draws them where an answer has some, under the page's policy as strict as it is.

`visit` fails at each violation of the policy, which the browser prints as an error.
"""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.bots.web.browser import COPIED_MS, PHONE, hold, needs_chromium, sound, visit
from tests.bots.web.conftest import service
from tests.bots.web.real_answers import LATEX
from tests.bots.web.test_page import choose
from tests.bots.web.test_real_answers import CLIPBOARD, CONVERSATION, TOO_WIDE, remember
from tests.fakes import ScriptedEngine

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="session")]

KATEX = "/static/katex/katex.min.js"
# What needs style attributes elsewhere, what ends a formula's reach, and what does not end.
HARD = r"""Bold $\pmb{x}$, framed $\fcolorbox{red}{yellow}{y}$ and $\boxed{42}$, red $\color{red}z$, a link
$\href{javascript:alert(1)}{w}$, $\htmlStyle{color: red}{v}$ and $\includegraphics{https://example.org/a.png}$.

Broken: $\frac{1$ and $\nonsense{2}$ and $\def\a{\a\a}\a$. $\gdef\b{7}\b$, but $\b{8}$."""

UNTRUSTED = [
    r"$\href{javascript:alert(1)}{w}$",
    r"$\htmlStyle{color: red}{v}$",
    r"$\includegraphics{https://example.org/a.png}$",
]


def katex_requests(paths: list[str]) -> int:
    return sum(path.endswith(KATEX) for path in paths)


@pytest.mark.parametrize("look", ["phone in the dark", "desktop"])
async def test_a_formula_is_drawn_while_an_answer_grows_after_it_and_from_history(
    browser: Browser, tmp_path: Path, look: str
) -> None:
    options = {**PHONE, "color_scheme": "dark"} if look == "phone in the dark" else {}
    answer = f"So $x_1 = 2$ holds.\n\n{LATEX}\n\n" + "More words. " * 200
    engine = ScriptedEngine(script=lambda it: answer if "formula" in it.turns[-1].text else "No sum.", pause=0.02)
    permissions = ["clipboard-read", "clipboard-write"]
    async with service(tmp_path, engine) as web, visit(browser, web.url, permissions=permissions, **options) as page:
        loaded: list[str] = []
        page.on("request", lambda request: loaded.append(request.url))
        await choose(page, "red")
        await page.fill("#question", "What does it cost?")
        await page.locator("#send").click()
        await expect(page.locator(".actions")).to_have_count(1)
        assert katex_requests(loaded) == 0
        engine.gate = asyncio.Event()  # the next answer goes on until it is stopped
        await page.fill("#question", "Which formula is it?")
        await page.locator("#send").click()
        await expect(page.locator(".writing .math math").first).to_have_attribute("alttext", "x_1 = 2")
        kept = await page.locator(".writing .math math").first.element_handle()
        await expect(page.locator(".writing .math math")).to_have_count(5)
        await expect(page.locator(".writing .prose")).to_contain_text("More words.")
        await page.get_by_role("button", name="Stop the answer").click()
        await expect(page.locator(".actions")).to_have_count(2)
        assert kept is not None and await kept.evaluate("it => it.isConnected")
        assert katex_requests(loaded) == 1
        assert await page.evaluate(TOO_WIDE) == [0, []]
        await expect(page.locator("#announcer")).to_contain_text("So x_1 = 2 holds.")
        await hold(page, COPIED_MS)
        await page.get_by_role("button", name="Copy the answer").last.click()
        await expect(page.locator("use[href='#i-done']")).to_be_visible()
        plain, _, html = await page.evaluate(CLIPBOARD)
        assert plain.startswith(answer[: answer.index("More words")]) and "$x_1 = 2$" in html and "math" not in html
        await page.reload()
        await expect(page.locator(".math math")).to_have_count(5)
        await expect(page.locator(".prose").last).to_contain_text("$5, the menu $12 and the bottle $30")
        await sound(page)


async def test_what_cannot_be_drawn_stays_tex_and_nothing_breaks_the_policy(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path) as web:
        path = await remember(web, HARD)
        async with visit(browser, web.url, path) as page:
            await expect(page.locator(".math math[alttext='\\\\boxed{42}']")).to_be_visible()
            broken = page.locator(".math:not(:has(math))")
            await expect(broken).to_have_text(
                [*UNTRUSTED, r"$\frac{1$", r"$\nonsense{2}$", r"$\def\a{\a\a}\a$", r"$\b{8}$"]
            )
            assert await page.locator("#thread :is([style], [href^='javascript'], .math img)").count() == 0


async def test_a_shared_conversation_has_its_formulas(browser: Browser, tmp_path: Path) -> None:
    async with service(tmp_path) as web:
        await remember(web, LATEX)
        link = (await web.client.post(f"/api/v1/conversations/{CONVERSATION}/link")).json()["path"]
        async with visit(browser, web.url, link) as page:
            await expect(page.locator(".math math")).to_have_count(4)
