"""A training from nothing runs through both stages, goes on where it stopped, and gives a model that answers."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from training import model, tokenizer, train
from training.chat import Chat, ChatModel

STEPS = ["--page-steps", "2", "--pages", "2", "--tokens", "700", "--processes", "0"]


@pytest.mark.timeout(600)
def test_a_training_goes_on_where_it_stopped_and_gives_a_model_that_answers(tmp_path: Path) -> None:
    train.main([*STEPS, "--steps", "1", "--out", str(tmp_path)])
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert (saved["stage"], saved["step"]) == (2, 1)
    first = load_file(tmp_path / "model.safetensors")
    start = model.build(tokenizer.load(), seed=1).half().state_dict()
    for part in ("model.visual.", "model.language_model."):
        assert any(not torch.equal(weight, start[name]) for name, weight in first.items() if name.startswith(part))
    train.main([*STEPS, "--steps", "2", "--out", str(tmp_path)])
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert (saved["stage"], saved["step"]) == (2, 2)
    second = load_file(tmp_path / "model.safetensors")
    assert any(not torch.equal(weight, first[name]) for name, weight in second.items())
    chat = Chat()
    chat.ask("What is this?", [Image.new("RGB", (256, 160), "white")])
    (answer,) = ChatModel(tmp_path).answers([chat], new_tokens=3)
    assert isinstance(answer, str)


def test_the_shipped_weights_fit_the_tower_that_is_trained_here() -> None:
    shipped = load_file(tokenizer.DEMO / "model.safetensors")
    trained = model.build(tokenizer.load(), seed=0).state_dict()
    tower = {name: weight.shape for name, weight in trained.items() if name.startswith("model.visual.")}
    assert tower == {name: weight.shape for name, weight in shipped.items() if name.startswith("model.visual.")}
