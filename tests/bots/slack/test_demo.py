"""The demo model behind both doors: it looks at real pictures and remembers what it saw."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.engine import Config as EngineConfig
from core.engine.engine import Engine
from tests.bots.slack.conftest import Scene
from tests.bots.slack.server import FakeSlack, patience_s
from tests.bots.slack.workspace import BOT, Json, said
from tests.demo import directly, sample, shows

ME = f"<@{BOT}>"
CHANNEL, DM = "C0GENERAL", "D0ANN"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
async def demo(scene: Scene, tmp_path: Path) -> AsyncIterator[Scene]:
    engine = await Engine.start(EngineConfig(model="demo", cache=tmp_path / "cache"))
    scene.engine, scene.patience_s = engine, 120.0
    yield scene
    await engine.close()


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
    """Four threads at once, each with a follow-up; what stands there is what the model says when asked directly."""
    slack = demo.slack
    invoice, chart, product = sample("invoice"), sample("chart"), sample("product")
    talks = (
        (("What is the total?", (invoice,)), ("What is the invoice number?", ())),
        (("What is the total in picture 1?", (invoice, chart)), ("Which quarter is the highest in picture 2?", ())),
        (("What is the price?", (product,)), ("产品名称是什么？", ())),
        (("Which quarter is the highest?", (chart,)), ("Which quarter is the lowest?", ())),
    )
    expected = [await directly(demo.engine, *talk) for talk in talks]

    one = slack.says(f"{ME} {talks[0][0][0]}", (_upload(slack, invoice),))
    two = slack.says(f"{ME} {talks[1][0][0]}", (_upload(slack, invoice), _upload(slack, chart)))
    below = slack.says("our new headphones", (_upload(slack, product),), user="U0BOB")
    slack.says(f"{ME} {talks[2][0][0]}", thread=below)
    direct = slack.says(talks[3][0][0], (_upload(slack, chart),), channel=DM)
    threads = ((one, CHANNEL), (two, CHANNEL), (below, CHANNEL), (direct, DM))
    for (thread, channel), answers in zip(threads, expected, strict=True):
        assert shows(await demo.answer(thread, channel), answers[0])

    for (thread, channel), (_, (follow_up, _)) in zip(threads, talks, strict=True):
        mention = "" if channel == DM else f"{ME} "
        slack.says(f"{mention}{follow_up}", thread=thread, channel=channel)
    for (thread, channel), answers in zip(threads, expected, strict=True):
        assert shows(said((await demo.finished(thread, 2, channel))[1]), answers[1])


def _upload(slack: FakeSlack, data: bytes) -> Json:
    return slack.upload(data, "picture.png")
