"""With the demo model, which reads: what random weights cannot show about precisions and caches."""

import json
from pathlib import Path

import pytest

from core.engine.config import EngineConfig
from core.engine.engine import Engine
from core.model.precision import Precision
from tests.demo import SAMPLES, directly, sample

ASKED = json.loads((SAMPLES / "samples.json").read_text("utf-8"))
# Without boxes: the demo model is often undecided between two places, and any rounding decides.
QUESTIONS = {
    Path(name).stem: [pair["question"] for pair in pairs if "bbox" not in pair["answer"]][::6]
    for name, pairs in ASKED.items()
}


async def demo(folder: Path, precision: Precision = Precision.FLOAT32) -> Engine:
    return await Engine.start(EngineConfig(model="demo", precision=precision, cache=folder, cache_limit_gb=0.1))


async def everything(engine: Engine) -> list[str]:
    asked = [(question, name) for name, questions in QUESTIONS.items() for question in questions]
    return [(await directly(engine, (question, (sample(name),))))[0] for question, name in asked]


@pytest.mark.parametrize("precision", [Precision.FLOAT16, Precision.INT8])
async def test_smaller_weights_say_the_same(tmp_path: Path, precision: Precision) -> None:
    answers = []
    for kind in (Precision.FLOAT32, precision):
        engine = await demo(tmp_path / kind, kind)
        answers.append(await everything(engine))
        await engine.close()
    assert answers[0] == answers[1]


async def test_what_was_kept_says_the_same_as_what_is_computed(tmp_path: Path) -> None:
    answers = []
    for _ in range(2):  # the second one reads what the first left on disk
        engine = await demo(tmp_path)
        answers += [await everything(engine), await everything(engine)]
        await engine.close()
    assert all(each == answers[0] for each in answers)


async def test_another_picture_gets_another_answer_and_the_same_one_the_same(tmp_path: Path) -> None:
    engine = await demo(tmp_path)
    question = "提取图中的所有文字"
    texts = [(await directly(engine, (question, (sample(name),))))[0] for name in ("invoice", "product", "invoice")]
    await engine.close()
    assert texts[0] == texts[2] != texts[1]
