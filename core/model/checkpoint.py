"""Find a model's files on disk, and read their tensors one at a time."""

import errno
import json
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer as Encoder

from core import hardware
from core.errors import ModelMissing, OperatorError
from core.model import kind
from core.model.description import DEMO
from core.model.tensor_file import ForeignTensor, TensorFile, TensorPlace

# The largest checkpoint is in float32; int8 weights take a quarter of it.
LARGEST_CHECKPOINT_PER_INT8 = 4


class Checkpoint:
    """A folder with config.json, tokenizer.json and safetensors files of a Qwen3-VL model."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = _weight_files(folder)
        if objection := kind.objection(self.read_json("config.json")):
            raise refusal(folder, "config.json", objection)
        self._tensors: dict[str, TensorFile] = {}  # by name: the file that holds it
        try:
            for file in map(TensorFile, self.files):
                if doubled := next((name for name in file.names if name in self._tensors), None):
                    other = self._tensors[doubled].path.name
                    raise refusal(folder, file.path.name, f"{doubled} is in {other} as well")
                self._tensors |= dict.fromkeys(file.names, file)
        except ForeignTensor as error:
            file_name, _, reason = str(error).partition(": ")
            raise refusal(folder, file_name, f"{reason}, and this engine reads F32, F16 and BF16") from error

    @classmethod
    def find(cls, name: str) -> "Checkpoint":
        """Return the checkpoint called `name`, as `find_folder`. Raises `OperatorError` for a model of another kind."""
        folder = find_folder(name)
        try:
            return cls(folder)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise damaged(folder, error) from error
        except OSError as error:
            raise _unopened(folder, error) from error

    @cached_property
    def encoder(self) -> Encoder:
        """The tokenizer, which is read once: that takes half a second for 150,000 tokens. Raises `OperatorError`."""
        try:
            return Encoder.from_file(str(self.folder / "tokenizer.json"))
        except Exception as error:  # the library raises nothing more exact
            raise refusal(self.folder, "tokenizer.json", f"it is no tokenizer ({error})") from error

    def read_json(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}
        except (ValueError, TypeError) as error:
            raise damaged(self.folder, f"{name}: {error}") from error

    @property
    def names(self) -> Collection[str]:
        return self._tensors.keys()

    def tensor(self, name: str) -> torch.Tensor:
        """Return a tensor in the checkpoint's own type, mapped: for reading only."""
        if name not in self._tensors:
            raise damaged(self.folder, f"it has no {name}")
        return self._tensors[name].map(name)

    def place(self, name: str) -> tuple[str, TensorPlace]:
        """Return the name of a tensor's file, and what its header says of it."""
        file = self._tensors[name]
        return file.path.name, file.places[name]

    def layout(self) -> list[tuple[Path, list[TensorPlace]]]:
        """Return each weights file with its tensors in the order in which they lie there."""
        files = {id(file): file for file in self._tensors.values()}
        return [(file.path, sorted(file.places.values(), key=lambda place: place.start)) for file in files.values()]

    def stamps(self) -> list[list[str | int]]:
        """Return values that change whenever a weights file is written: size, times and inode."""
        found: list[list[str | int]] = []
        for file in self.files:
            seen = file.stat()
            found.append([file.name, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino])
        return found


def find_folder(name: str) -> Path:
    """`name` is "demo", a folder, or a Hugging Face name in the local cache. Raises `ModelMissing`."""
    folder = DEMO if name == "demo" else Path(name).expanduser()
    if not folder.is_dir():
        from core.model import pinned  # imports the hub's library, which folders do not need

        folder = pinned.find(name) or folder
    needed = [folder / "config.json", folder / "tokenizer.json"]
    try:
        if all(path.is_file() for path in needed) and _weight_files(folder):
            _check_size(folder)
            return folder
    except (ValueError, TypeError, LookupError, AttributeError) as error:  # a download that broke off, or not JSON
        raise damaged(folder, error) from error
    except OSError as error:
        raise _unopened(folder, error) from error
    if Path(name).expanduser().is_dir() or name.count("/") != 1:
        raise ModelMissing(
            "There is no whole model in {folder}: config.json, tokenizer.json and all of its safetensors files "
            "must lie there.",
            folder=str(folder),
        )
    raise ModelMissing(
        "The model {name} is not on this machine, or not all of it. Fetch it with "
        "`python -m bots model fetch {name}`, or download its files by hand from "
        "https://huggingface.co/{name} into a folder and write that folder as `model` into [core.engine].",
        name=name,
    )


def _unopened(folder: Path, error: OSError) -> OperatorError:
    return OperatorError(
        "The model in {folder} cannot be opened ({reason}). Choose a smaller one, or add memory.",
        folder=str(folder),
        reason=str(error),
    )


def refusal(folder: Path, file: str, reason: str) -> OperatorError:
    """Return the error for a complete model that the engine would compute wrongly."""
    return OperatorError(
        "The model in {folder} cannot be used: {file}: {reason}.", folder=str(folder), file=file, reason=reason
    )


def damaged(folder: Path, reason: object) -> ModelMissing:
    return ModelMissing(
        "The model in {folder} is damaged ({reason}). Fetch it again; what is whole is not downloaded twice.",
        folder=str(folder),
        reason=str(reason),
    )


def _weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files, or none when the index names one that is missing."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
        files = [folder / name for name in names]
        return files if all(file.is_file() for file in files) else []
    return sorted(folder.glob("*.safetensors"))


def _check_size(folder: Path) -> None:
    """Raise `OSError` when not even int8 weights could fit into memory."""
    size, memory = sum(file.stat().st_size for file in _weight_files(folder)), hardware.memory()
    if size > LARGEST_CHECKPOINT_PER_INT8 * memory.bytes:
        raise OSError(errno.ENOMEM, f"{size / 1e9:.0f} GB of weights, {memory.bytes / 1e9:.0f} GB of memory")
