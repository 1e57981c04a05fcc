"""Encode pictures a slice at a time, so that running answers continue meanwhile."""

import io
from collections.abc import Generator
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow
from torch import Tensor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil, smart_resize
from transformers.vision_utils import get_vision_interpolation_indices_and_weights, get_vision_position_ids

from core.errors import BadQuestion
from core.model.full_attention import FullAttention
from core.model.kernel import Kernel

SLICE_PATCHES = 512  # less than 0.1 s of a 2B model's encoder on two cores
# Attention scores of one slice's patches with all others: torch is faster with more than 768 patches at once.
SLICE_SCORES = 1 << 21
Box = tuple[int, int, int, int]  # left, top, right and bottom in pixels
QWEN3_VL: dict[str, Any] = {
    "size": {"shortest_edge": 65536, "longest_edge": 16777216},
    "patch_size": 16,
    "temporal_patch_size": 2,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


class Grid:
    """Convert pixels to image tokens, resizing as Qwen's image processor does."""

    def __init__(self, unit: int, min_pixels: int, max_pixels: int) -> None:
        self.unit, self.min_pixels, self.max_pixels = unit, min_pixels, max_pixels

    def __call__(self, width: int, height: int) -> tuple[int, int]:
        try:
            pixels = smart_resize(height, width, self.unit, self.min_pixels, self.max_pixels)
        except ValueError as error:  # more than 200 times as long as wide
            raise BadQuestion("A picture is too long and narrow for me to look at. Please send it in parts.") from error
        return pixels[0] // self.unit, pixels[1] // self.unit


class Vision:
    """The vision encoder. `visual` is transformers' Qwen3VLVisionModel with its linear layers replaced."""

    def __init__(self, visual: Any, settings: dict[str, Any], kernel: Kernel | None) -> None:
        self._kernel = kernel
        self._visual = visual
        settings = {key: settings.get(key, default) for key, default in QWEN3_VL.items()}
        self.merge = int(visual.config.spatial_merge_size)  # patches of an image token, each way
        self._processor = Qwen2VLImageProcessorPil(**settings | {"merge_size": self.merge})
        size = settings["size"]
        self.grid = Grid(settings["patch_size"] * self.merge, size["shortest_edge"], size["longest_edge"])

    def encode(
        self, data: bytes, box: Box | None = None, size: tuple[int, int] | None = None
    ) -> Generator[int, None, Tensor]:
        """Encode a picture, or a box of it, and yield after each slice how many patches it was worth.

        It is brought to `size` (width, height) in pixels first.

        Returns the features (1 + deepstack, image tokens, hidden).
        """
        visual = self._visual
        with Pillow.open(io.BytesIO(data)) as picture:
            shown = picture.crop(box).convert("RGB")
            array = np.asarray(shown.resize(size or shown.size, Pillow.Resampling.LANCZOS))  # (height, width, 3)
        # Name the format: the processor would take a picture 1, 3 or 4 pixels high for one whose channels come first.
        pixels = self._processor(images=[array], return_tensors="pt", input_data_format="channels_last")
        grid = pixels["image_grid_thw"]  # (1, 3)
        hidden = visual.patch_embed(pixels["pixel_values"])  # (patches, hidden)
        indices, weights = get_vision_interpolation_indices_and_weights(
            grid,
            num_grid_per_side=visual.num_grid_per_side,
            mode=visual.interpolation_mode,
            align_corners=visual.interpolation_align_corners,
            spatial_merge_size=self.merge,
        )
        hidden = hidden + (visual.pos_embed(indices) * weights[:, :, None]).sum(1)
        cos, sin = visual.rotary_pos_emb(hidden, get_vision_position_ids(grid, self.merge))  # (patches, head_dim)
        half = sin.shape[-1] // 2
        sin = torch.cat([-sin[:, :half], sin[:, half:]], -1)[:, None]
        cos = cos[:, None]  # (patches, 1, head_dim)
        features = []
        share = len(hidden) / (2 * len(visual.blocks))  # patches that one half of a block is worth
        due = 0.0
        for number, block in enumerate(visual.blocks):
            for part in (_attend(block, hidden, cos, sin, self._kernel), _transform(block, hidden)):
                for done in part:
                    due += share * done
                    yield int(due)
                    due -= int(due)
            if number in visual.deepstack_visual_indexes:
                merger = visual.deepstack_merger_list[visual.deepstack_visual_indexes.index(number)]
                features.append(merger(hidden))  # (tokens, hidden of the language model)
        return torch.stack([visual.merger(hidden), *features])


def _attend(
    block: Any, hidden: Tensor, cos: Tensor, sin: Tensor, kernel: Kernel | None
) -> Generator[float, None, None]:
    """Add the block's attention to `hidden` (patches, hidden) in place, and yield the finished share."""
    attention = block.attn
    x = attention.qkv(block.norm1(hidden)).view(len(hidden), 3, attention.num_heads, -1)
    q, k, v = x.unbind(1)  # (patches, heads, head_dim) each
    q, k = (t * cos + t.roll(t.shape[-1] // 2, -1) * sin for t in (q, k))
    attend = FullAttention(k, v, kernel)
    size = max(SLICE_PATCHES // 2, SLICE_SCORES // len(hidden))
    for first in range(0, len(hidden), size):
        own = slice(first, first + size)
        y = attend(q[own])  # (slice, hidden)
        hidden[own] += attention.proj(y)
        yield len(y) / len(hidden)


def _transform(block: Any, hidden: Tensor) -> Generator[float, None, None]:
    """Add the block's MLP to `hidden` (patches, hidden) in place, and yield the finished share."""
    for first in range(0, len(hidden), SLICE_PATCHES):
        own = slice(first, first + SLICE_PATCHES)
        hidden[own] += block.mlp(block.norm2(hidden[own]))
        yield len(hidden[own]) / len(hidden)
