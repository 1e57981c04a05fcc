"""transformers' own engine behind the API, with the demo model and with another architecture."""

from pathlib import Path

from core.engine.engine import Engine
from tests.bots.web.conftest import service
from tests.demo import directly, sample


async def test_the_reference_engine_answers_and_a_follow_up_too(reference: Engine, tmp_path: Path) -> None:
    invoice = sample("invoice")
    expected = await directly(reference, ("What is the total?", (invoice,)), ("What is the tax rate?", ()))
    async with service(tmp_path, reference) as web:
        first = await web.client.post("/api/v1/analyze", data={"query": "What is the total?"}, files={"image": invoice})
        second = await web.ask("What is the tax rate?", conversation=first.json()["conversation"])
    assert [first.json()["text"], second.json()["text"]] == expected
