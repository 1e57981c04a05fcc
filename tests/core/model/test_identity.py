"""Who a model is: its content, read once and known again by its files."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.engine.config import EngineConfig
from core.engine.engine import Engine
from core.model import identity
from core.model.checkpoint import Checkpoint
from core.model.identity import identify
from core.model.precision import Precision
from core.sampling import Sampling
from tests.core.engine.tiny import ask, make_image, make_model, read

WEIGHTS = "model.safetensors"
MIDDLE = "model.language_model.layers.2.mlp.up_proj.weight"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_model(tmp_path / "model")


def fine_tune(model: Path, folder: Path) -> Path:
    """One number of one tensor in the middle of the file is another."""
    shutil.copytree(model, folder)
    tensors = load_file(folder / WEIGHTS)
    tensors[MIDDLE][3, 3] += 2.0
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    return folder


def test_models_that_differ_in_one_number_have_other_identities(model: Path, tmp_path: Path) -> None:
    other = fine_tune(model, tmp_path / "other")
    assert identify(Checkpoint(model), tmp_path / "notes") != identify(Checkpoint(other), tmp_path / "notes")
    assert (model / WEIGHTS).stat().st_size == (other / WEIGHTS).stat().st_size


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "preprocessor_config.json"])
def test_another_configuration_is_another_model(model: Path, tmp_path: Path, name: str) -> None:
    before = identify(Checkpoint(model), tmp_path / "notes")
    (model / name).write_text((model / name).read_text() + "\n")
    assert identify(Checkpoint(model), tmp_path / "notes") != before


def test_the_same_tensors_in_other_files_are_the_same_model(model: Path, tmp_path: Path) -> None:
    before = identify(Checkpoint(model), tmp_path / "notes")
    tensors = load_file(model / WEIGHTS)
    (model / WEIGHTS).unlink()
    names = sorted(tensors)
    for number, part in enumerate((names[::2], names[1::2]), 1):
        save_file({name: tensors[name] for name in part}, model / f"model-{number}-of-2.safetensors", {"format": "pt"})
    assert identify(Checkpoint(model), tmp_path / "notes") == before


def test_a_model_is_read_once_and_known_again(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads, hash_all = [], identity._hash

    def count(checkpoint: Checkpoint) -> str:
        reads.append(checkpoint)
        return hash_all(checkpoint)

    monkeypatch.setattr(identity, "_hash", count)
    first = identify(Checkpoint(model), tmp_path / "notes")
    assert identify(Checkpoint(model), tmp_path / "notes") == first
    assert len(reads) == 1
    for note in (tmp_path / "notes").iterdir():
        note.write_text("[damaged")
    assert identify(Checkpoint(model), tmp_path / "notes") == first
    assert len(reads) == 2


def test_a_change_is_noticed_also_when_its_time_is_set_back(model: Path, tmp_path: Path) -> None:
    path = model / WEIGHTS
    before, seen = identify(Checkpoint(model), tmp_path / "notes"), path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    with path.open("r+b") as file:  # the same file, of the same size
        file.write(content)
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert identify(Checkpoint(model), tmp_path / "notes") != before


async def test_two_fine_tunes_share_neither_weights_nor_rows(model: Path, tmp_path: Path) -> None:
    other, picture = fine_tune(model, tmp_path / "other"), make_image(1)

    async def answer(folder: Path, cache: Path) -> tuple[str, int]:
        engine = await Engine.start(EngineConfig(model=str(folder), cache=cache, threads=1, precision=Precision.INT8))
        try:
            written, _ = await read(engine, ask("what?", picture), Sampling(max_new_tokens=12))
        finally:
            await engine.close()
        return written.text, written.figures.reused_tokens

    shared = tmp_path / "shared"
    assert (await answer(model, shared))[1] == 0
    text, reused = await answer(other, shared)
    assert reused == 0
    assert text == (await answer(other, tmp_path / "own"))[0]
    folders = sorted(path.name for path in (shared / "weights").iterdir())
    assert len(folders) == 2
    assert (await answer(model, shared))[1] > 0  # its own are still there


def test_every_byte_of_every_tensor_counts(model: Path, tmp_path: Path) -> None:
    tensors = load_file(model / WEIGHTS)
    known = {identify(Checkpoint(model), tmp_path / "notes")}
    for name in sorted(tensors)[:: len(tensors) // 12]:
        changed = tensors[name].clone().contiguous()
        changed.view(torch.uint8).view(-1)[changed.nbytes // 2] ^= 1
        save_file(tensors | {name: changed}, model / WEIGHTS, {"format": "pt"})
        known.add(identify(Checkpoint(model), tmp_path / "notes"))
    assert len(known) == 1 + len(sorted(tensors)[:: len(tensors) // 12])
