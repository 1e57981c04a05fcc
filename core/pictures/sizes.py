"""Limit how large a picture may be, and shrink it to the model's budget."""

import math
from collections.abc import Callable

from PIL import Image

from core.errors import BadImage, TooLarge
from core.pictures.colours import Colours

TOKEN_PIXELS = 32  # width and height of one image token of Qwen3-VL
LEAST_TOKENS = 64  # of a picture; Qwen3-VL's image processor enlarges one with fewer pixels, without its detail
LONGEST_ASPECT = 200  # long side : short side; Qwen's image processor refuses more
STRIP_PIXELS = 1 << 21  # converted at once

Box = tuple[int, int, int, int]  # left, top, right and bottom in pixels


def check_pixels(width: int, height: int, pixel_limit: int) -> None:
    if width * height > pixel_limit:
        raise TooLarge(
            "This picture has {width}x{height} pixels; at most {limit} megapixels work. Please send a smaller version.",
            width=width,
            height=height,
            limit=f"{pixel_limit / 1e6:g}",
        )


def check_shape(width: int, height: int) -> None:
    """Raise `BadImage` for a picture that is too long and narrow. Neither side may be zero."""
    if max(width, height) > LONGEST_ASPECT * min(width, height):
        raise BadImage(
            "This picture is too long and narrow a strip: one side may be at most {aspect} times as long as the other. "
            "Please send it in parts.",
            aspect=LONGEST_ASPECT,
        )


def fit(width: int, height: int, image_tokens: int) -> tuple[int, int]:
    """Return the size within the budget. Shrunk sides are multiples of 32, which the model's processor leaves alone.

    The formula is `smart_resize` of Qwen2-VL's image processor: it rounds down, but never below `LEAST_TOKENS`.
    Rounding never makes a strip longer than `LONGEST_ASPECT`.
    """
    area = TOKEN_PIXELS * TOKEN_PIXELS
    if width * height <= image_tokens * area:
        return width, height
    shrunk = _scaled(width, height, image_tokens * area, math.floor)
    if shrunk[0] * shrunk[1] < LEAST_TOKENS * area:
        shrunk = _scaled(width, height, LEAST_TOKENS * area, math.ceil)
        if shrunk[0] > width or shrunk[1] > height:
            return width, height
    width, height = shrunk
    return min(width, LONGEST_ASPECT * height), min(height, LONGEST_ASPECT * width)


def _scaled(width: int, height: int, pixels: int, rounded: Callable[[float], int]) -> tuple[int, int]:
    """Return the sides in whole tokens of a picture with about so many pixels."""
    scale = math.sqrt(width * height / pixels) * TOKEN_PIXELS
    width, height = (max(1, rounded(side / scale)) * TOKEN_PIXELS for side in (width, height))
    return width, height


def shrink(image: Image.Image, colours: Colours, width: int, height: int, box: Box | None = None) -> Image.Image:
    """Return a new RGB picture of that size, of the whole image or of a box of it.

    A huge one is converted in strips, so that it is in memory only once.
    """
    left, upper, right, lower = box or (0, 0, *image.size)
    factor = max(1, min((right - left) // width, (lower - upper) // height) // 2)
    if factor == 1:
        rough = colours.rgb(image) if box is None else _converted(image, colours, box)
        return rough.resize((width, height), Image.Resampling.LANCZOS)  # a copy if the size is right already
    rough = Image.new("RGB", (math.ceil((right - left) / factor), math.ceil((lower - upper) / factor)))
    rows = max(1, STRIP_PIXELS // image.width // factor) * factor
    for top in range(upper, lower, rows):
        strip = _converted(image, colours, (left, top, right, min(top + rows, lower)))
        rough.paste(strip.reduce(factor), (0, (top - upper) // factor))
    whole = (0, 0, (right - left) / factor, (lower - upper) / factor)
    return rough.resize((width, height), Image.Resampling.LANCZOS, box=whole)


def _converted(image: Image.Image, colours: Colours, box: Box) -> Image.Image:
    """Return a box in RGB. Its rows are converted in their whole width, as the background of a picture needs it."""
    left, top, right, bottom = box
    rows = colours.rgb(image.crop((0, top, image.width, bottom)), top)
    return rows if (left, right) == (0, image.width) else rows.crop((left, 0, right, bottom - top))
