"""transformers' own engine behind Slack, with the demo model and with another architecture."""

from core.engine.engine import Engine
from tests.bots.slack.conftest import Scene
from tests.demo import directly, sample, shows


async def test_the_reference_engine_answers(scene: Scene, reference: Engine) -> None:
    scene.engine = reference
    question = "What is the total?"
    [expected] = await directly(reference, (question, (sample("invoice"),)))
    async with scene.bot():
        upload = scene.slack.upload(sample("invoice"), "invoice.png")
        thread = scene.slack.says(question, (upload,), channel="D0ANN")
        answer = await scene.answer(thread, "D0ANN")
    assert shows(answer, expected)
