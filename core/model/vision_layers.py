"""Compute the blocks of the vision encoder a slice of patches at a time, and merge patches into image tokens."""

from collections.abc import Generator
from dataclasses import dataclass

from torch import Tensor, nn

from core.model.full_attention import FullAttention
from core.model.kernel import Kernel
from core.model.quantize import LinearLayer
from core.model.rotary import PatchRotary, Rotation

SLICE_PATCHES = 512  # less than 0.1 s of a 2B model's encoder on two cores
# Attention scores of one slice's patches with all others: torch is faster with more than 768 patches at once.
SLICE_SCORES = 1 << 21
LAYER_NORM_EPS = 1e-6


@dataclass(frozen=True, slots=True)
class LayerNorm:
    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return nn.functional.layer_norm(x, self.weight.shape, self.weight, self.bias, LAYER_NORM_EPS)


@dataclass(frozen=True, slots=True)
class Block:
    """One block of the vision encoder. `fc2` activates its input."""

    heads: int
    norm1: LayerNorm
    qkv: LinearLayer
    proj: LinearLayer
    norm2: LayerNorm
    fc1: LinearLayer
    fc2: LinearLayer

    def attend(self, hidden: Tensor, rotation: Rotation, kernel: Kernel | None) -> Generator[float, None, None]:
        """Add the attention to `hidden` (patches, hidden) in place, and yield the finished share."""
        x = self.qkv(self.norm1(hidden)).view(len(hidden), 3, self.heads, -1)
        q, k, v = x.unbind(1)  # (patches, heads, head_dim) each
        q, k = rotation.apply(q), rotation.apply(k)
        attend = FullAttention(k, v, kernel)
        size = max(SLICE_PATCHES // 2, SLICE_SCORES // len(hidden))
        for first in range(0, len(hidden), size):
            own = slice(first, first + size)
            y = attend(q[own])  # (slice, hidden)
            self.proj(y, hidden[own])
            yield len(y) / len(hidden)

    def transform(self, hidden: Tensor) -> Generator[float, None, None]:
        """Add the MLP to `hidden` (patches, hidden) in place, and yield the finished share."""
        for first in range(0, len(hidden), SLICE_PATCHES):
            own = slice(first, first + SLICE_PATCHES)
            self.fc2(self.fc1(self.norm2(hidden[own])), hidden[own])
            yield len(hidden[own]) / len(hidden)


@dataclass(frozen=True, slots=True)
class Merger:
    """Turns patches (patches, hidden) that lie together into image tokens (tokens, hidden of the language model).

    A token's patches have `width` numbers together. The norm is as wide, or as wide as one patch.
    """

    width: int
    norm: LayerNorm
    fc1: LinearLayer
    fc2: LinearLayer

    def __call__(self, x: Tensor) -> Tensor:
        x = self.norm(x.view(-1, len(self.norm.weight))).view(-1, self.width)
        return self.fc2(nn.functional.gelu(self.fc1(x)))


@dataclass(frozen=True, slots=True)
class VisionEncoder:
    """`positions` are the learned embeddings (places, hidden) of a square grid. `deepstack` is by the block before."""

    patch_embed: LinearLayer
    positions: Tensor
    rotary: PatchRotary
    blocks: list[Block]
    merger: Merger
    deepstack: dict[int, Merger]
