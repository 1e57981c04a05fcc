"""The web with the real engine and the embedded demo model: what somebody sees who tries it for the first time."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from core.engine import EngineConfig
from core.engine.engine import Engine
from tests.bots.web.browser import needs_chromium, started, visit
from tests.bots.web.conftest import service
from tests.demo import directly, sample

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
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
async def test_a_first_visitor_reads_the_invoice_and_asks_on(engine: Engine, tmp_path: Path) -> None:
    expected = await directly(engine, ("What is the total?", (sample("invoice-en"),)), ("What is the tax rate?", ()))
    async with started() as browser, service(tmp_path, engine) as web, visit(browser, web.url) as page:
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
