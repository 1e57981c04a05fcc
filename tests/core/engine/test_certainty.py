"""What a model makes up is replaced, and what it knows is not."""

import io
import json
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

from core.engine.certainty import HOPELESS_TOKENS, LEAST_TOKENS, Certainty
from core.engine.config import EngineConfig, Kind
from core.engine.engine import Engine
from core.engine.request import Doubt
from core.i18n import Translator
from core.model.description import describe
from core.model.precision import Precision
from core.pictures import fonts
from core.selftest.drawing import FOLDER
from tests.demo import SAMPLES, directly, sample

SURE, UNSURE = torch.tensor([9.0, 0.0, 0.0]), torch.tensor([0.1, 0.0, 0.0])


def certainty_of(*logits: torch.Tensor, doubt: Doubt | None = Doubt("Not sure.", 0.85)) -> Certainty:
    certainty = Certainty(doubt)
    for each in logits:
        certainty.add(each)
    return certainty


def test_few_tokens_are_no_answer_to_judge() -> None:
    assert certainty_of(*(LEAST_TOKENS - 1) * [UNSURE]).doubt is None
    assert certainty_of(*LEAST_TOKENS * [UNSURE]).doubt == "Not sure."
    assert certainty_of(*LEAST_TOKENS * [SURE]).doubt is None


def test_one_uncertain_token_in_a_long_answer_is_no_doubt() -> None:
    assert certainty_of(*20 * [SURE], UNSURE).doubt is None


def test_a_long_answer_that_is_made_up_ends_early() -> None:
    assert not certainty_of(*(HOPELESS_TOKENS - 1) * [UNSURE]).is_hopeless
    assert certainty_of(*HOPELESS_TOKENS * [UNSURE]).is_hopeless
    assert not certainty_of(*HOPELESS_TOKENS * [SURE]).is_hopeless


def test_a_model_without_a_doubt_never_has_one() -> None:
    assert certainty_of(*60 * [UNSURE], doubt=None).doubt is None
    assert not certainty_of(*60 * [UNSURE], doubt=None).is_hopeless


def small_print() -> bytes:
    """Draw a screenshot of a program's text, much smaller than the demo model reads."""
    image = Image.new("RGB", (1280, 720), "white")
    pen, font = ImageDraw.Draw(image), ImageFont.truetype(fonts.PATH, 14)
    for line in range(22):
        text = f"def function_{line}(self, value): return value * {line} + other[{line}]  # comment"
        pen.text((20 + line % 3 * 30, 80 + line * 28), text, "#222", font)
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


@pytest.mark.parametrize(
    ("kind", "language", "question"),
    [
        (Kind.NATIVE, "en", "What does this picture show?"),
        (Kind.NATIVE, "zh", "描述这张图片。"),
        (Kind.REFERENCE, "zh", "描述这张图片。"),  # the language is chosen before either
    ],
)
async def test_nonsense_becomes_an_honest_sentence_and_what_is_asked_then_is_answered(
    tmp_path: Path, kind: Kind, language: str, question: str
) -> None:
    engine = await Engine.start(EngineConfig(model="demo", kind=kind, cache=tmp_path, cache_limit_gb=0, threads=1))
    said = await directly(engine, (question, (small_print(),)), ("What is the total?", (sample("invoice"),)))
    await engine.close()
    doubt = describe("demo").doubt
    assert doubt and said == [Translator(language).explain(doubt), "The total is ¥8,600.00."]


@pytest.mark.parametrize("precision", [Precision.FLOAT32, Precision.INT8])
async def test_right_answers_are_not_doubted(tmp_path: Path, precision: Precision) -> None:
    engine = await Engine.start(EngineConfig(model="demo", precision=precision, cache=tmp_path, cache_limit_gb=0))
    asked = [
        (pair["question"], (SAMPLES / name).read_bytes())
        for name, pairs in json.loads((SAMPLES / "samples.json").read_text("utf-8")).items()
        for pair in pairs
    ]
    asked += [(question, (FOLDER / "shapes.png").read_bytes()) for question in ("有几个形状？", "黄色五角星在哪里？")]
    said = [(await directly(engine, (question, (data,))))[0] for question, data in asked]
    await engine.close()
    doubt = describe("demo").doubt
    assert doubt and not {Translator(language).explain(doubt) for language in ("en", "zh")} & set(said)
