"""How large a picture may be, and how it becomes as small as the model's budget."""

import math

from PIL import Image

from core.errors import BadImage, TooLarge
from core.pictures.colours import Colours

TOKEN = 32  # pixels, width and height of what becomes one image token of Qwen3-VL
ASPECT = 200  # long side : short side; Qwen's image processor refuses more
STRIP = 1 << 21  # pixels that are converted at a time


def check_pixels(width: int, height: int, pixel_limit: int) -> None:
    if width * height > pixel_limit:
        raise TooLarge(
            "This picture has {width}x{height} pixels; at most {limit} megapixels work. Please send a smaller version.",
            width=width,
            height=height,
            limit=f"{pixel_limit / 1e6:g}",
        )


def check_shape(width: int, height: int) -> None:
    """Neither is zero."""
    if max(width, height) > ASPECT * min(width, height):
        raise BadImage(
            "This picture is too long and narrow a strip: one side may be at most {aspect} times as long as the other. "
            "Please send it in parts.",
            aspect=ASPECT,
        )


def fit(width: int, height: int, image_tokens: int) -> tuple[int, int]:
    """The size within the budget. A shrunk side is a multiple of 32, so the model's processor leaves it as it is.

    The formula is `smart_resize` of Qwen2-VL's image processor; rounding never makes a strip longer than `ASPECT`.
    """
    budget = image_tokens * TOKEN * TOKEN
    if width * height <= budget:
        return width, height
    scale = math.sqrt(width * height / budget)
    width, height = (max(TOKEN, math.floor(side / scale / TOKEN) * TOKEN) for side in (width, height))
    return min(width, ASPECT * height), min(height, ASPECT * width)


def shrink(image: Image.Image, colours: Colours, width: int, height: int) -> Image.Image:
    """A new picture, in RGB and that size. A huge one is converted strip by strip: never a second copy in memory."""
    factor = max(1, min(image.width // width, image.height // height) // 2)
    if factor == 1:
        rough = colours.rgb(image)
        return rough.resize((width, height), Image.Resampling.LANCZOS)  # a copy where nothing changes
    rough = Image.new("RGB", (math.ceil(image.width / factor), math.ceil(image.height / factor)))
    rows = max(1, STRIP // image.width // factor) * factor
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        rough.paste(colours.rgb(strip, top).reduce(factor), (0, top // factor))
    whole = (0, 0, image.width / factor, image.height / factor)
    return rough.resize((width, height), Image.Resampling.LANCZOS, box=whole)
