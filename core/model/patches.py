"""Turn pixels into patches as Qwen's image processor does, in the order in which their image tokens follow.

`Qwen2VLImageProcessorPil` of transformers computes the same, bit for bit, as `tests/core/model/test_vision.py` checks;
importing it takes longer than mapping all weights.
"""

import math
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow
from torch import Tensor

from core.errors import BadQuestion

LONGEST_RATIO = 200  # of a picture's sides
QWEN3_VL: dict[str, Any] = {
    "size": {"shortest_edge": 65536, "longest_edge": 16777216},
    "patch_size": 16,
    "temporal_patch_size": 2,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


class Grid:
    """Convert pixels to image tokens. `unit` is the side of a token's square in pixels."""

    def __init__(self, unit: int, min_pixels: int, max_pixels: int) -> None:
        self.unit, self.min_pixels, self.max_pixels = unit, min_pixels, max_pixels

    def __call__(self, width: int, height: int) -> tuple[int, int]:
        """Return the image tokens (height, width) of a picture, which keeps its proportions within the limits."""
        if max(height, width) > LONGEST_RATIO * min(height, width):
            raise BadQuestion("A picture is too long and narrow for me to look at. Please send it in parts.")
        rows, columns = round(height / self.unit), round(width / self.unit)
        pixels = rows * columns * self.unit**2
        if pixels > self.max_pixels:
            shrink = math.sqrt(height * width / self.max_pixels)
            rows, columns = (max(1, math.floor(side / shrink / self.unit)) for side in (height, width))
        elif pixels < self.min_pixels:
            grow = math.sqrt(self.min_pixels / (height * width))
            rows, columns = (math.ceil(side * grow / self.unit) for side in (height, width))
        return rows, columns


class Patches:
    """Cuts pictures into patches. `settings` are those of preprocessor_config.json.

    `merge` patches, each way, become one image token.
    """

    def __init__(self, settings: dict[str, Any], merge: int) -> None:
        settings = {key: settings.get(key, default) for key, default in QWEN3_VL.items()}
        self._side, self._frames, self._merge = settings["patch_size"], settings["temporal_patch_size"], merge
        self._mean, self._std = (np.array(settings[key], np.float32) for key in ("image_mean", "image_std"))
        size = settings["size"]
        self.grid = Grid(self._side * merge, size["shortest_edge"], size["longest_edge"])

    def cut(self, picture: Pillow.Image) -> Tensor:
        """Return the patches (patches, numbers) of a picture, which is brought to its grid's size first."""
        rows, columns = self.grid(*picture.size)
        size = (columns * self.grid.unit, rows * self.grid.unit)
        resized = np.asarray(picture.resize(size, Pillow.Resampling.BICUBIC), np.float64)  # (height, width, 3)
        pixels = ((resized * (1 / 255)).astype(np.float32) - self._mean) / self._std
        merge, side = self._merge, self._side
        pixels = pixels.reshape(rows, merge, side, columns, merge, side, 3).transpose(0, 3, 1, 4, 6, 2, 5)
        frames = np.broadcast_to(pixels[..., None, :, :], (*pixels.shape[:5], self._frames, side, side))
        return torch.from_numpy(frames.reshape(rows * columns * merge**2, -1))

    def places(self, picture: Pillow.Image) -> tuple[Tensor, Tensor]:
        """Return the row and the column of each patch, (patches,) each."""
        merge = self._merge
        rows, columns = self.grid(*picture.size)
        row, column = torch.arange(rows * merge), torch.arange(columns * merge)
        shape = (rows, columns, merge, merge)
        return (
            row.view(rows, 1, merge, 1).expand(shape).flatten(),
            column.view(1, columns, 1, merge).expand(shape).flatten(),
        )
