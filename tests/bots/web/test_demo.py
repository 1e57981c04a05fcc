"""The web with the real engine and the embedded demo model: what somebody sees who tries it for the first time."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, FilePayload, expect

from core.engine import EngineConfig
from core.engine.engine import Engine
from core.model.description import ModelDescription, describe
from tests.bots.web.browser import needs_chromium, visit
from tests.bots.web.conftest import service
from tests.demo import directly, sample

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    cache = str(tmp_path_factory.mktemp("cache"))
    engine = await Engine.start(EngineConfig.model_validate({"model": "demo", "cache": cache}))
    yield engine
    await engine.close()


async def test_the_api_reads_the_sample_invoice_and_answers_a_follow_up(engine: Engine, tmp_path: Path) -> None:
    invoice = sample("invoice")
    expected = await directly(engine, ("What is the total?", (invoice,)), ("What is the tax rate?", ()))
    async with service(tmp_path, engine) as web:
        first = await web.client.post("/api/v1/analyze", data={"query": "What is the total?"}, files={"image": invoice})
        assert first.json()["text"] == expected[0]
        second = await web.ask("What is the tax rate?", conversation=first.json()["conversation"])
        assert second.json()["text"] == expected[1]
        assert second.json()["figures"]["reused_tokens"] > 0


@needs_chromium
async def test_a_first_visitor_reads_the_invoice_and_asks_on(browser: Browser, engine: Engine, tmp_path: Path) -> None:
    expected = await directly(engine, ("What is the total?", (sample("invoice-en"),)), ("What is the tax rate?", ()))
    async with service(tmp_path, engine) as web, visit(browser, web.url) as page:
        await page.get_by_role("button", name="What is the total?").click()
        await expect(page.locator(".prose")).to_contain_text(expected[0])
        await expect(page.locator(".actions")).to_have_count(1)
        await page.fill("#question", "What is the tax rate?")
        await page.press("#question", "Enter")
        await expect(page.locator(".prose").nth(1)).to_contain_text(expected[1])


ANSWERS = {
    "en": ("$8,600.00", "Q4", "Noise cancelling"),
    "zh": ("¥8,600.00", "Q4", "主动降噪"),
}


@pytest.mark.parametrize("language", ANSWERS)
async def test_the_samples_are_in_the_visitors_language_and_their_first_questions_are_answered(
    engine: Engine, tmp_path: Path, language: str
) -> None:
    async with service(tmp_path, engine) as web:
        html = (await web.client.get("/", headers={"Accept-Language": language})).text
        offered = re.findall(r'data-sample="samples/(.+?)\.png" data-question="(.+?)"', html)
        for (name, question), expected in zip(offered, ANSWERS[language], strict=True):
            assert (await web.client.get(f"/samples/{name}.png")).content == sample(name)
            [answer] = await directly(engine, (question, (sample(name),)))
            assert expected in answer


@needs_chromium
@pytest.mark.parametrize("path", ["", "/pictures"])
async def test_the_page_says_that_the_demo_model_is_one_and_where_the_real_one_is(
    browser: Browser, engine: Engine, tmp_path: Path, path: str
) -> None:
    async with (
        service(tmp_path, engine, model=describe("demo"), path=path) as web,
        visit(browser, web.url + path) as page,
    ):
        line = page.locator("#introduction")
        words = "Demo model: reads printed documents, charts and shapes · how to get the real one"
        await expect(line).to_have_text(words)
        await line.get_by_role("link").click()
        await expect(page).to_have_url(f"{web.url}{path}/docs#model")
        await expect(page.locator("#model")).to_contain_text("python -m bots model fetch")


async def test_with_a_real_model_no_demo_is_spoken_of(tmp_path: Path) -> None:
    async with service(tmp_path) as web:
        for address in ("/", "/docs"):
            assert "demo" not in re.sub(r"samples/|demo/samples", "", (await web.client.get(address)).text).lower()
        assert 'data-question="描述这张图片。"' in (await web.client.get("/", headers={"Accept-Language": "zh"})).text


async def test_pictures_are_said_to_stay_here_only_where_the_model_is_here(tmp_path: Path) -> None:
    for elsewhere in (False, True):
        async with service(tmp_path, model=ModelDescription(elsewhere=elsewhere)) as web:
            for language, promise in (("en", "never leave this server"), ("zh", "不会离开这台服务器")):
                page = (await web.client.get("/", headers={"Accept-Language": language})).text
                assert page.count(promise) == (0 if elsewhere else 2)


@needs_chromium
async def test_a_picture_without_words_is_asked_what_the_demo_model_knows(
    browser: Browser, engine: Engine, tmp_path: Path
) -> None:
    invoice = FilePayload(name="p.png", mimeType="image/png", buffer=sample("invoice"))
    async with (
        service(tmp_path, engine, model=describe("demo")) as web,
        visit(browser, web.url) as page,
    ):
        await page.wait_for_load_state()  # before that nobody listens for files
        await page.locator("#files").set_input_files(invoice)
        await expect(page.locator("#attached li")).to_have_count(1)
        await page.locator("#send").click()
        await expect(page.locator(".turn")).to_contain_text("Extract all text.")
        await expect(page.locator(".prose")).to_contain_text("NO.20260118")
