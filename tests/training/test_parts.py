"""Parts of the published model learn on alone, and the others stay as they were."""

import argparse
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from training import answer, checkpoint, log, model, read
from training.tokenizer import DEMO

TOWER, READER = "model.visual.", "model.language_model."


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (checkpoint, log):
        monkeypatch.setattr(module, "DIRECTORY", tmp_path)
    monkeypatch.setattr(model, "compiled", lambda function: function)  # longer than two steps take


def learned(saved: checkpoint.Checkpoint, before: dict[str, torch.Tensor]) -> set[str]:
    """The parts of the model that are not what was published."""
    changed = {name for name, weight in before.items() if not torch.equal(weight, saved.model[name])}
    return {part for part in (TOWER, READER) if any(name.startswith(part) for name in changed)}


@pytest.fixture
def published() -> dict[str, torch.Tensor]:
    return {name: weight.float() for name, weight in load_file(DEMO / "model.safetensors").items()}


def test_the_tower_learns_alone(published: dict[str, torch.Tensor]) -> None:
    read.main(["--from-demo", "--read-steps", "2", "--batch", "2"])
    saved = checkpoint.Checkpoint.load("read")
    assert saved and learned(saved, published) == {TOWER}


def test_the_language_model_learns_alone(published: dict[str, torch.Tensor]) -> None:
    options = argparse.Namespace(
        answer_steps=8, minutes=None, tokens=1200, sums=4, rate=1e-3, tower=0.0, from_demo=True, seed=1, processes=1
    )
    answer.train(options)
    saved = checkpoint.Checkpoint.load("answer")
    assert saved and learned(saved, published) == {READER}
    words = "model.language_model.embed_tokens.weight"  # the tower names characters by them
    assert torch.equal(published[words], saved.model[words])
