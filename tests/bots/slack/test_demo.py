"""The demo model behind both doors: it looks at real pictures and remembers what it saw."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.engine import Config as EngineConfig
from core.engine.engine import Engine
from tests.bots.slack.conftest import Scene
from tests.bots.slack.server import FakeSlack, patience_s
from tests.bots.slack.workspace import BOT, Json, said

DEMO = Path(__file__).parents[3] / "core" / "demo"
ME = f"<@{BOT}>"
DM = "D0ANN"

pytestmark = [
    pytest.mark.skipif(not (DEMO / "model.safetensors").exists(), reason="the demo model is not built"),
    pytest.mark.timeout(300),
]


@pytest.fixture
async def demo(scene: Scene, tmp_path: Path) -> AsyncIterator[Scene]:
    engine = await Engine.start(EngineConfig(model="demo", cache=tmp_path / "cache"))
    scene.engine, scene.patience_s = engine, 120.0
    yield scene
    await engine.close()


def sample(slack: FakeSlack, name: str) -> Json:
    return slack.upload((DEMO / "samples" / f"{name}.png").read_bytes(), f"{name}.png")


async def test_over_socket_mode_the_demo_model_answers_in_channels_and_direct_messages(demo: Scene) -> None:
    async with demo.bot():
        await _talk(demo)
    print(f"slowest ack {1000 * max(demo.slack.acks):.0f} ms while the model was busy")
    assert max(demo.slack.acks) < patience_s()


async def test_over_http_the_demo_model_answers_in_channels_and_direct_messages(demo: Scene) -> None:
    async with demo.bot_over_http():
        await _talk(demo)
    assert max(demo.slack.acks) < patience_s()


async def _talk(demo: Scene) -> None:
    slack = demo.slack

    one = slack.says(f"{ME} What is the total?", (sample(slack, "invoice"),))
    two = slack.says(f"{ME} What is the total in picture 1?", (sample(slack, "invoice"), sample(slack, "chart")))
    below = slack.says("our new headphones", (sample(slack, "product"),), user="U0BOB")
    slack.says(f"{ME} What is the price?", thread=below)
    direct = slack.says("Which quarter is the highest?", (sample(slack, "chart"),), channel=DM)
    assert "8,600.00" in await demo.answer(one)
    assert "8,600.00" in await demo.answer(two)
    assert "129.00" in await demo.answer(below)
    assert "Q4" in await demo.answer(direct, DM)

    slack.says(f"{ME} What is the invoice number?", thread=one)
    slack.says(f"{ME} Which quarter is the highest in picture 2?", thread=two)
    slack.says(f"{ME} 产品名称是什么？", thread=below)
    slack.says("Which quarter is the lowest?", channel=DM, thread=direct)
    assert "20260118" in said((await demo.finished(one, 2))[1])
    assert "Q4" in said((await demo.finished(two, 2))[1])
    assert "Nova" in said((await demo.finished(below, 2))[1])
    assert "Q2" in said((await demo.finished(direct, 2, DM))[1])
