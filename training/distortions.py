"""What makes a few typefaces look like many: print is warped and made fatter or thinner, anew whenever it is shown.

Done to tensors, so that a GPU can do it: of the drawing it took two fifths. The tower named 98 % of the Chinese print
in faces that it had learned, and 86 % in one that to people looks all but the same; warped, the same faces taught more.
"""

import random

import torch
from torch import Tensor
from torch.nn import functional

WARPED = 0.6  # share of the pictures
SHIFTED = 0.5
FATTER = 0.4


def distorted(pixels: Tensor, rng: random.Random) -> Tensor:
    """(pictures, height, width, 3) bytes -> the same, on the same device."""
    count = len(pixels)
    generator = torch.Generator(pixels.device).manual_seed(rng.getrandbits(32))

    def some(low: float, high: float, share: float) -> Tensor:
        """For each picture a number between the two, or nought."""
        drawn, chosen = torch.rand((2, count, 1, 1, 1), generator=generator, device=pixels.device).unbind()
        return (low + (high - low) * drawn) * (chosen < share)

    x = pixels.permute(0, 3, 1, 2).float()
    around = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    light, dark = functional.max_pool2d(around, 3, 1), -functional.max_pool2d(-around, 3, 1)
    weight = some(-0.45, 0.45, FATTER)
    x = x + weight.clamp(min=0) * (light - x) + (-weight).clamp(min=0) * (dark - x)
    x = warped(x, some(0.02, 0.1, WARPED), some(0.3, 1.7, SHIFTED), rng.uniform(7, 20), generator)
    return x.clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1)


def warped(x: Tensor, strength: Tensor, shift: Tensor, pitch: float, generator: torch.Generator) -> Tensor:
    """Moves points that are `pitch` pixels apart by about `strength` of that, and what is between them smoothly along.

    By about `shift` pixels, rows and columns of them move as a whole: strokes stay straight and stand elsewhere between
    the others, as they do from face to face. `x` (pictures, 3, height, width); `strength`, `shift` (pictures, 1, 1, 1).
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
