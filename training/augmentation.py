"""Augmentation: print is warped and made bolder or thinner whenever it is shown, as if by many faces.

It works on tensors, so that a GPU can do it: it took two fifths of the drawing time. The tower named 98 % of the
Chinese print in faces that it had learned, and 86 % in one that people can hardly tell from them.
"""

import random

import torch
from torch import Tensor
from torch.nn import functional

WARPED_SHARE = 0.6
SHIFTED_SHARE = 0.5
BOLDER_SHARE = 0.4


def augment(pixels: Tensor, rng: random.Random) -> Tensor:
    """Return other pictures of the same things: (pictures, height, width, 3) bytes, on the same device."""
    count = len(pixels)
    generator = torch.Generator(pixels.device).manual_seed(rng.getrandbits(32))

    def some(low: float, high: float, share: float) -> Tensor:
        """Return for each picture a number between the two, or 0."""
        drawn, chosen = torch.rand((2, count, 1, 1, 1), generator=generator, device=pixels.device).unbind()
        return (low + (high - low) * drawn) * (chosen < share)

    x = pixels.permute(0, 3, 1, 2).float()
    around = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    light, dark = functional.max_pool2d(around, 3, 1), -functional.max_pool2d(-around, 3, 1)
    weight = some(-0.45, 0.45, BOLDER_SHARE)
    x = x + weight.clamp(min=0) * (light - x) + (-weight).clamp(min=0) * (dark - x)
    x = warp(x, some(0.02, 0.1, WARPED_SHARE), some(0.3, 1.7, SHIFTED_SHARE), rng.uniform(7, 20), generator)
    return x.clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1)


def warp(x: Tensor, strength: Tensor, shift: Tensor, pitch: float, generator: torch.Generator) -> Tensor:
    """Move points that are `pitch` pixels apart by about `strength` of that, and smoothly what is between them.

    Whole rows and columns of points also move by about `shift` pixels: strokes stay straight and stand elsewhere, as
    they do from face to face. `x` (pictures, 3, height, width); `strength`, `shift` (pictures, 1, 1, 1).
    """
    count, _, height, width = x.shape
    rows, columns = round(height / pitch) + 1, round(width / pitch) + 1

    def some(*shape: int) -> Tensor:
        return torch.randn((count, *shape), generator=generator, device=x.device)

    along = torch.cat((some(1, 1, columns).expand(-1, -1, rows, -1), some(1, rows, 1).expand(-1, -1, -1, columns)), 1)
    moves = some(2, rows, columns) * strength * pitch + along * shift
    moves = functional.interpolate(moves, (height, width), mode="bilinear", align_corners=True)
    moves = moves.permute(0, 2, 3, 1) * 2 / torch.tensor((width, height), device=x.device)  # sides are 2 long
    still = torch.eye(2, 3, device=x.device).expand(count, 2, 3)
    still = functional.affine_grid(still, [count, 3, height, width], align_corners=False)
    shown: Tensor = functional.grid_sample(x, still + moves, mode="bicubic", padding_mode="border", align_corners=False)
    return shown
