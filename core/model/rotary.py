"""Rotate queries and keys by their positions: rotary embeddings, of text (M-RoPE) and of a picture's patches."""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.model.config import Rope, TextConfig


@dataclass(frozen=True, slots=True)
class Rotation:
    """Rotary embedding of the batch's positions, (rows, 1, dim) each. The first half of the sine is negated."""

    cos: Tensor
    sin: Tensor

    @classmethod
    def of(cls, angles: Tensor, scale: float = 1.0) -> "Rotation":
        """Make a rotation from angles (rows, dim / 2)."""
        cos, sin = angles.cos() * scale, angles.sin() * scale
        return cls(torch.cat([cos, cos], -1)[:, None], torch.cat([-sin, sin], -1)[:, None])

    def apply(self, x: Tensor) -> Tensor:
        """Return `x` (rows, heads, dim), rotated."""
        return (x * self.cos).addcmul_(x.roll(x.shape[-1] // 2, -1), self.sin)


class TextRotary:
    """Interleaves the angles of time, height and width as Qwen3-VL does: t h w t h w … t t t."""

    def __init__(self, config: TextConfig) -> None:
        self._frequencies, self._scale = _scaled(config)
        self._axes = torch.zeros(len(self._frequencies), dtype=torch.long)  # the position that turns each pair
        for axis, count in enumerate(config.rope_parameters.mrope_section[1:], 1):
            self._axes[axis : 3 * count : 3] = axis

    def __call__(self, positions: Tensor) -> Rotation:
        """Return the rotation of positions (3, rows)."""
        return Rotation.of(positions.T[:, self._axes].float() * self._frequencies, self._scale)


class PatchRotary:
    """Turns the first half of each head by the patch's row, the second half by its column."""

    def __init__(self, dim: int, rope: Rope) -> None:
        self._frequencies = frequencies(dim // 2, rope.rope_theta)

    def __call__(self, rows: Tensor, columns: Tensor) -> Rotation:
        """Return the rotation of patches (patches,)."""
        angles = [each[:, None].float() * self._frequencies for each in (rows, columns)]
        return Rotation.of(torch.cat(angles, -1))


def frequencies(dim: int, theta: float) -> Tensor:
    """Return how far each pair of numbers is turned from one position to the next, (dim / 2,)."""
    return 1.0 / (theta ** (torch.arange(0, dim, 2, dtype=torch.float) / dim))


def _scaled(config: TextConfig) -> tuple[Tensor, float]:
    """Return the frequencies and the scale of cosine and sine. Kinds for longer contexts are transformers' affair."""
    rope = config.rope_parameters
    if rope.rope_type == "default":
        return frequencies(config.head_dim, rope.rope_theta), 1.0
    from transformers import Qwen3VLTextConfig  # a second of imports that only these need
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    found, scale = ROPE_INIT_FUNCTIONS[rope.rope_type](Qwen3VLTextConfig(**config.model_dump()), None)
    return found, float(scale)
