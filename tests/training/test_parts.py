"""Parts of the published model learn on alone, and the others stay as they were."""

import argparse
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from training import answer, checkpoint, export, log, model, read, tokenizer
from training.aids import Aids
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


def options(**changed: object) -> argparse.Namespace:
    usual = {
        "answer_steps": 8,
        "minutes": None,
        "sitting": math.inf,
        "tokens": 1200,
        "sums": 4,
        "rate": 1e-3,
        "tower": 0.0,
        "from_demo": True,
        "hold": 0.0,
        "seed": 1,
        "processes": 1,
    }
    return argparse.Namespace(**(usual | changed))


def test_the_language_model_learns_alone(published: dict[str, torch.Tensor]) -> None:
    answer.train(options())
    saved = checkpoint.Checkpoint.load("answer")
    assert saved and learned(saved, published) == {READER}
    words = "model.language_model.embed_tokens.weight"  # the tower names characters by them
    assert torch.equal(published[words], saved.model[words])


def test_what_counts_stays_as_it_is_when_all_else_learns(published: dict[str, torch.Tensor]) -> None:
    answer.train(options(tower=1.0))
    saved = checkpoint.Checkpoint.load("answer")
    assert saved and learned(saved, published) == {TOWER, READER}
    changed = {name for name, weight in published.items() if not torch.equal(weight, saved.model[name])}
    layers = {int(name.split(".")[3]) for name in changed if name.startswith("model.language_model.layers.")}
    assert layers == set(range(1 + model.COUNTING, model.READING + model.COUNTING))
    assert "model.language_model.embed_tokens.weight" not in changed


def test_a_training_of_so_many_minutes_can_be_done_in_sittings() -> None:
    lesson = options(minutes=5 / 60, sitting=1 / 60)
    spent = []
    for _ in range(2):
        answer.train(lesson)
        saved = checkpoint.Checkpoint.load("answer")
        assert saved
        spent.append(saved.seconds)
    assert spent[1] > spent[0] > 1
    answer.train(options(minutes=spent[1] / 60))  # nothing is left to do
    again = checkpoint.Checkpoint.load("answer")
    assert again and saved and again.step == saved.step


def test_a_training_goes_on_as_deep_as_its_checkpoint_is() -> None:
    network = model.build(tokenizer.load(), 1)  # without the layers that count, as a training from nothing is
    aids = Aids(network.config.text_config.hidden_size)
    checkpoint.Checkpoint(0, 0, 0.0, network.state_dict(), aids.state_dict(), []).save("read")
    answer.train(options(answer_steps=1, from_demo=False))
    saved = checkpoint.Checkpoint.load("answer")
    assert saved and export.layers(saved.model) == model.READING
    answer.train(options(answer_steps=2))
    again = checkpoint.Checkpoint.load("answer")
    assert again and again.step == 2
    assert export.layers(again.model) == model.READING
