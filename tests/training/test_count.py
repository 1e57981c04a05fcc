"""The layers that count, as they are begun, and after a few steps."""

import math
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from training import count, lists, log, model, tallying, tokenizer, turns, words
from training.batches import Writer
from training.directions import evened, parting, quiet
from training.lists import Role


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "DIRECTORY", tmp_path)


def test_turns_are_told_by_a_share_of_attention_and_nothing_is_told_elsewhere() -> None:
    tokens = tokenizer.load()
    network = count.reading(model.build(tokens, 1, model.READING + model.COUNTING)).requires_grad_(False)
    writer, layers = Writer(tokens), network.model.language_model.layers
    rng, lexicon = random.Random(1), words.Lexicon(False)
    talks = [lists.alike(rng, 16) for _ in range(4)]
    talks += [lists.pictured(rng, lexicon, kind, 4) for kind in ("shapes", "photograph", "photograph", "photograph")]
    written = [lists.write(writer, few) for few in talks]
    *stored, unseen = [(each, *count.behind_first(network, each)) for each in written]
    hidden = torch.cat([x[taught.real] for taught, x, _ in stored])
    board = turns.Board.of(quiet(layers[4:], hidden, 9))
    start = writer.special("<|im_start|>")
    turns.begin(layers[2], stored, start, board)
    for taught, x, rotation in (*stored, unseen):
        told = (turns.attend(layers[2], x, rotation) - x) @ board.turn / turns.TURN_SIZE
        opened = (taught.lessons.ids == start).cumsum(1)
        openings = taught.roles == Role.OPENING
        wanted = turns.FIRST_WEIGHS / (turns.FIRST_WEIGHS + opened - 1)
        assert (told - wanted)[openings].abs().max() < 0.05
        assert told[taught.real & (taught.roles == Role.NONE)].abs().mean() < 0.1


def test_all_else_stays_as_it_was() -> None:
    network = count.count(conversations=64, steps=4, seed=1)
    published = {name: weight.float() for name, weight in load_file(tokenizer.DEMO / "model.safetensors").items()}
    again = count.reading(model.build(tokenizer.load(), 2, model.READING + model.COUNTING)).state_dict()
    known = {
        name for name in again if not any(f".layers.{index}." in name for index in (1, 2, 3)) or ".visual." in name
    }
    state = network.state_dict()
    assert all(torch.equal(state[name], again[name]) for name in known)
    assert published["model.language_model.norm.weight"].equal(state["model.language_model.norm.weight"])
    assert all(weight.isfinite().all() for weight in state.values())


def test_a_side_is_found_that_parts_what_can_be_parted() -> None:
    torch.manual_seed(0)
    x = evened(torch.randn(2000, 16) + 1)
    yes = x[:, 3] > 1.5 * x.mean(1)
    assert ((x @ parting(x, yes, 300) > 0) == yes).float().mean() > 0.95


def test_shares_tell_numbers_apart() -> None:
    counts = torch.tensor([[0, 5, matches] for matches in range(6)])
    match, opening = tallying.shares(counts).unbind(1)
    angles = torch.atan2(match, opening)
    assert torch.allclose(angles, torch.tensor([math.atan(matches / 2) for matches in range(6)]))
