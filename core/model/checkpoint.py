"""A model's files on disk: where they are, which revision they are, and their tensors one at a time."""

import errno
import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError

from core import hardware
from core.errors import ModelMissing, OperatorError
from core.model.tensor_file import TensorFile

DEMO = Path(__file__).parent.parent / "demo"
LEAST_SHARE = 4  # int8 weights take a quarter of a checkpoint in float32, which is the largest
SAMPLE = 1 << 20  # bytes of each end of a weights file that go into the revision


class Checkpoint:
    """A folder with config.json, tokenizer.json and safetensors files of a Qwen3-VL model."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = _weight_files(folder)
        if self.read_json("config.json").get("model_type") != "qwen3_vl":
            raise OperatorError("{folder} is not a Qwen3-VL model: its config.json says otherwise.", folder=str(folder))
        self.revision = self._revision()
        self._tensors: dict[str, TensorFile] = {}  # by name: the file that holds it
        for file in map(TensorFile, self.files):
            self._tensors |= dict.fromkeys(file.names, file)

    @classmethod
    def find(cls, name: str) -> "Checkpoint":
        """`name` is "demo", a folder, or a Hugging Face name in the local cache. Raises `ModelMissing`."""
        folder = DEMO if name == "demo" else Path(name).expanduser()
        if not folder.is_dir():
            folder = _cached_folder(name) or folder
        needed = [folder / "config.json", folder / "tokenizer.json"]
        try:
            if all(path.is_file() for path in needed) and _weight_files(folder):
                _check_size(folder)
                return cls(folder)
        except (ValueError, TypeError, LookupError, AttributeError) as error:  # a download that broke off, or not JSON
            raise _damaged(folder, error) from error
        except OSError as error:
            raise OperatorError(
                "The model in {folder} cannot be opened ({reason}). Choose a smaller one, or add memory.",
                folder=str(folder),
                reason=str(error),
            ) from error
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

    def read_json(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}
        except (ValueError, TypeError) as error:
            raise _damaged(self.folder, f"{name}: {error}") from error

    @property
    def names(self) -> Collection[str]:
        return self._tensors.keys()

    def tensor(self, name: str) -> torch.Tensor:
        """Return a tensor in the checkpoint's own type, mapped: for reading only."""
        if name not in self._tensors:
            raise _damaged(self.folder, f"it has no {name}")
        return self._tensors[name].map(name)

    def _revision(self) -> str:
        """Changes with the weights, without reading gigabytes: configuration, sizes and both ends of each file."""
        digest = hashlib.sha256()
        for name in ("config.json", "tokenizer.json", "preprocessor_config.json"):
            path = self.folder / name
            digest.update(path.read_bytes() if path.is_file() else b"-")
        for file in self.files:
            size = file.stat().st_size
            with file.open("rb") as opened:
                digest.update(f"{file.name} {size}".encode() + opened.read(SAMPLE))
                opened.seek(max(0, size - SAMPLE))
                digest.update(opened.read())
        return digest.hexdigest()[:16]


def _damaged(folder: Path, reason: object) -> ModelMissing:
    return ModelMissing(
        "The model in {folder} is damaged ({reason}). Fetch it again; what is whole is not downloaded twice.",
        folder=str(folder),
        reason=str(reason),
    )


def _weight_files(folder: Path) -> list[Path]:
    """The safetensors files; none when the index names one that is not there."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
        files = [folder / name for name in names]
        return files if all(file.is_file() for file in files) else []
    return sorted(folder.glob("*.safetensors"))


def _check_size(folder: Path) -> None:
    """Raise `OSError` when not even int8 weights could fit into memory."""
    size, memory = sum(file.stat().st_size for file in _weight_files(folder)), hardware.memory()
    if size > LEAST_SHARE * memory.bytes:
        raise OSError(errno.ENOMEM, f"{size / 1e9:.0f} GB of weights, {memory.bytes / 1e9:.0f} GB of memory")


def _cached_folder(name: str) -> Path | None:
    try:
        path = try_to_load_from_cache(name, "config.json")
    except HFValidationError:
        return None
    return Path(path).parent if isinstance(path, str) else None
