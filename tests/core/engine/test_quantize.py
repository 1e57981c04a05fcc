"""Quantized products are close, with numbers, and their cache survives crashes."""

import shutil
from pathlib import Path

import pytest
import torch

from core.engine.checkpoint import Checkpoint
from core.engine.compare import differ, follow
from core.engine.config import Precision
from core.engine.model import Model
from core.engine.prompt import Prompter
from core.engine.quantize import PART, BFloat16Linear, Float16Linear, Foundry, Int8Linear, quantize
from core.engine.tokenizer import Tokenizer
from core.errors import ModelMissing, OperatorError
from tests.core.engine.reference import Reference
from tests.core.engine.tiny import ask, make_image


def case(rows: int, out: int = 96) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """x with outliers, weight, bias, and the exact product."""
    random = torch.Generator().manual_seed(rows)
    x = torch.randn(rows, 64, generator=random)
    x[:, 3] *= 50
    weight, bias = torch.randn(out, 64, generator=random), torch.randn(out, generator=random)
    return x, weight, bias, x @ weight.T + bias


def error(found: torch.Tensor, exact: torch.Tensor) -> float:
    return float((found - exact).norm() / exact.norm())


@pytest.mark.parametrize("rows", [1, 2, 7, 300])
def test_int8_loses_only_what_rounding_the_weights_loses(rows: int) -> None:
    x, weight, bias, exact = case(rows)
    rounded, scale = quantize(weight)
    floor = error(x @ (rounded * scale[:, None]).T + bias, exact)
    found = error(Int8Linear(rounded, scale, bias)(x), exact)
    assert found < 1.1 * floor
    assert found < 0.01


def test_a_vocabulary_is_packed_in_parts() -> None:
    x, weight, _, _ = case(2, out=PART + 100)
    linear = Int8Linear(*quantize(weight), None)
    assert len(linear.packed) == 2
    assert error(linear(x), x @ weight.T) < 0.01


def test_rows_of_zeros_stay_zero() -> None:
    _, weight, _, _ = case(1)
    assert not Int8Linear(*quantize(weight), None)(torch.zeros(2, 64)).any()


@pytest.mark.parametrize(("kind", "limit"), [(Float16Linear, 5e-4), (BFloat16Linear, 5e-3)])
def test_16_bits_are_close(kind: type[torch.nn.Module], limit: float) -> None:
    x, weight, bias, exact = case(5)
    assert error(kind(weight, bias)(x), exact) < limit


def test_int8_weights_are_read_back_instead_of_made_again(tmp_path: Path) -> None:
    x, weight, bias, _ = case(3)
    foundry = Foundry(Precision.INT8, tmp_path)
    made = foundry.linear("a", lambda: (weight, bias))(x)

    def forbidden() -> tuple[torch.Tensor, torch.Tensor | None]:
        raise AssertionError("read the checkpoint")

    assert torch.equal(foundry.linear("a", forbidden)(x), made)


def test_half_written_int8_weights_are_made_again(tmp_path: Path) -> None:
    x, weight, bias, _ = case(3)
    foundry = Foundry(Precision.INT8, tmp_path)
    made = foundry.linear("a", lambda: (weight, bias))(x)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    assert torch.equal(foundry.linear("a", lambda: (weight, bias))(x), made)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(("precision", "kl"), [("float32", 1e-7), ("float16", 1e-4), ("int8", 2e-2)])
def test_a_model_stays_close_to_transformers(
    tiny: Path, reference: Reference, tmp_path: Path, precision: str, kl: float
) -> None:
    question = ask("What is it?", make_image(1), make_image(2, 64, 160))
    model = Model(Checkpoint(tiny), Precision(precision), tmp_path, threads=1)
    prompt = Prompter(Tokenizer(tiny), model.vision.grid, 4096).write(question, 1)
    found = follow(model, prompt, None, 1)
    assert differ(reference.logits(question)[None], found).kl < kl


def test_auto_takes_float32_for_a_small_model(tiny: Path) -> None:
    assert Model(Checkpoint(tiny), Precision.AUTO, None, threads=1).precision is Precision.FLOAT32


def test_the_revision_changes_with_the_weights(tiny: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny, copy)
    assert Checkpoint(copy).revision == Checkpoint(tiny).revision
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    assert Checkpoint(copy).revision != Checkpoint(tiny).revision


def test_a_folder_of_another_model_is_refused(tiny: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny, copy)
    (copy / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(OperatorError, match="not a Qwen3-VL model"):
        Checkpoint.find(str(copy))


def test_a_half_downloaded_model_is_missing(tiny: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny, copy)
    (copy / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-1-of-2.safetensors"}}')
    with pytest.raises(ModelMissing):
        Checkpoint.find(str(copy))
