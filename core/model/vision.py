"""Encode pictures a slice at a time, so that running answers continue meanwhile."""

import io
from collections.abc import Generator
from typing import Any

import torch
from PIL import Image as Pillow
from torch import Tensor

from core.model.kernel import Kernel
from core.model.patches import Patches
from core.model.vision_layers import VisionEncoder

Box = tuple[int, int, int, int]  # left, top, right and bottom in pixels


class Vision:
    """The vision encoder. `merge` patches, each way, become one image token; `settings` say how pictures are cut."""

    def __init__(self, encoder: VisionEncoder, settings: dict[str, Any], merge: int, kernel: Kernel | None) -> None:
        self._encoder = encoder
        self._kernel = kernel
        self._patches = Patches(settings, merge)
        self.merge = merge
        self.grid = self._patches.grid

    def encode(
        self, data: bytes, box: Box | None = None, size: tuple[int, int] | None = None
    ) -> Generator[int, None, Tensor]:
        """Encode a picture, or a box of it, and yield after each slice how many patches it was worth.

        It is brought to `size` (width, height) in pixels first.

        Returns the features (1 + deepstack, image tokens, hidden).
        """
        encoder = self._encoder
        with Pillow.open(io.BytesIO(data)) as picture:
            shown = picture.crop(box).convert("RGB")
        shown = shown.resize(size or shown.size, Pillow.Resampling.LANCZOS)
        rows, columns = self._patches.places(shown)
        hidden = encoder.patch_embed(self._patches.cut(shown))  # (patches, hidden)
        hidden = hidden + _interpolate(encoder.positions, rows, columns)
        rotation = encoder.rotary(rows, columns)
        features = []
        share = len(hidden) / (2 * len(encoder.blocks))  # patches that one half of a block is worth
        due = 0.0
        for number, block in enumerate(encoder.blocks):
            for part in (block.attend(hidden, rotation, self._kernel), block.transform(hidden)):
                for done in part:
                    due += share * done
                    yield int(due)
                    due -= int(due)
            if merger := encoder.deepstack.get(number):
                features.append(merger(hidden))  # (tokens, hidden of the language model)
        return torch.stack([encoder.merger(hidden), *features])


def _interpolate(positions: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Stretch the learned square of embeddings over a picture's patches, and return theirs, (patches, hidden)."""
    side = int(len(positions) ** 0.5)
    (above, low), (left, near) = (_between(each, side) for each in (rows, columns))
    at = (above[:, :, None] * side + left[:, None, :]).flatten(1)  # (patches, 4)
    weights = (low[:, :, None] * near[:, None, :]).flatten(1)
    return (positions[at] * weights[:, :, None]).sum(1)


def _between(places: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Return the two of `side` lines that each place lies between, and their weights, (patches, 2) each."""
    exact = places.float() * (side - 1) / max(1, int(places.max()))
    line = exact.floor()
    weight = exact - line
    first = line.long()
    return torch.stack([first, (first + 1).clamp(max=side - 1)], -1), torch.stack([1 - weight, weight], -1)
