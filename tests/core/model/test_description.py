"""What is known of a model beside its weights."""

from pathlib import Path

import pytest

from core.i18n import Translator
from core.model.description import DEMO, describe


@pytest.mark.parametrize("name", ["demo", str(DEMO), str(DEMO / ".." / "demo")])
def test_the_demo_model_says_that_it_is_one(name: str) -> None:
    model = describe(name)
    assert model.introduction and Translator("en").explain(model.introduction).startswith("Demo model: ")
    assert model.pictures == 2 and model.needs_picture
    assert model.first_questions == ("text", "table")


def test_of_a_real_model_nothing_is_said(tmp_path: Path) -> None:
    for name in ("Qwen/Qwen3-VL-2B-Instruct", str(tmp_path)):
        model = describe(name)
        assert (model.introduction, model.pictures, model.needs_picture) == (None, None, False)
        assert model.default_question.sentence == "Describe this picture."
