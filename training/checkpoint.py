"""Everything a training needs to go on where it stopped, in one file."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

DIRECTORY = Path(__file__).parent / "checkpoints"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    step: int
    pictures: int
    seconds: float  # of training so far
    model: dict[str, Any]
    aids: dict[str, Any]
    optimizers: list[dict[str, Any]]

    def save(self, name: str) -> None:
        DIRECTORY.mkdir(parents=True, exist_ok=True)
        fields = {slot: getattr(self, slot) for slot in self.__slots__}
        temporary = DIRECTORY / f"{name}.tmp"
        torch.save(fields, temporary)
        os.replace(temporary, DIRECTORY / f"{name}.pt")

    @classmethod
    def load(cls, name: str) -> "Checkpoint | None":
        path = DIRECTORY / f"{name}.pt"
        return cls(**torch.load(path, map_location="cpu", weights_only=True)) if path.exists() else None
