"""Decodes pictures with Pillow, inside a worker (`core.workers`) where it may crash. Knows no limit but its options."""

import contextlib
import functools
import hashlib
import io
import math
import warnings
from typing import Any

from PIL import AvifImagePlugin, ExifTags, Image, UnidentifiedImageError

from core.colours import Colours
from core.errors import BadImage, TooLarge
from core.kinds import claims_picture, refuse_others

# Named, because Pillow knows some fifty more, and a small hostile file of a rare one costs hundreds of megabytes.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
TOKEN = 32  # pixels, width and height of what becomes one image token of Qwen3-VL
ASPECT = 200  # long side : short side; Qwen's image processor refuses more
STRIP = 1 << 21  # pixels that are converted at a time
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # EXIF orientation -> what turns the picture upright
SIDEWAYS = {UPRIGHT[5], UPRIGHT[6], UPRIGHT[7], UPRIGHT[8]}


def picture(data: bytes, pixel_limit: int, image_tokens: int) -> list[tuple[dict[str, Any], bytes]]:
    """A file's (first) picture as PNG with its id, its size, and the size it was sent in."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [finish(open_picture(data, pixel_limit), image_tokens)]


def open_picture(data: bytes, pixel_limit: int) -> Image.Image:
    """The file's header, checked; not a pixel is decoded yet."""
    refuse_others(data)
    Image.MAX_IMAGE_PIXELS = None  # our own limit follows, and it refuses where Pillow's only warns
    _register_heif()
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except MemoryError:
        raise
    except UnidentifiedImageError as error:
        if claims_picture(data):
            raise _damaged() from error
        raise BadImage(
            "I cannot open this file as a picture. JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, HEIC and PDF work."
        ) from error
    except Exception as error:
        raise _damaged() from error
    check_pixels(*image.size, pixel_limit)
    return image


def check_pixels(width: int, height: int, pixel_limit: int) -> None:
    if width * height > pixel_limit:
        raise TooLarge(
            "This picture has {width}x{height} pixels; at most {limit} megapixels work. Please send a smaller version.",
            width=width,
            height=height,
            limit=f"{pixel_limit / 1e6:g}",
        )
    if min(width, height) < 1:
        raise _damaged()
    if max(width, height) > ASPECT * min(width, height):
        raise BadImage(
            "This picture is a strip of {width}x{height} pixels; one side may be at most {aspect} times as long as the "
            "other. Please send it in parts.",
            width=width,
            height=height,
            aspect=ASPECT,
        )


def finish(image: Image.Image, image_tokens: int) -> tuple[dict[str, Any], bytes]:
    """Decode, turn upright, convert to RGB, shrink to the budget, encode."""
    sent = image.size
    width, height = fit(*sent, image_tokens)
    try:
        image.draft(None, (2 * width, 2 * height))  # a big JPEG is decoded at an eighth to a half of its size
        image.load()
        small = _shrink(image, width, height)
        turn = UPRIGHT.get(_orientation(image))
    except MemoryError:
        raise
    except Exception as error:  # Pillow's plugins raise nearly anything for a broken file
        if "truncated" in str(error) or isinstance(error, EOFError):
            raise BadImage("This picture is incomplete: its file ends too early. Please send it again.") from error
        raise _damaged() from error
    if turn is not None:
        small = small.transpose(turn)
        sent = sent[::-1] if turn in SIDEWAYS else sent
    return encode(small, sent)


def encode(image: Image.Image, sent: tuple[int, int]) -> tuple[dict[str, Any], bytes]:
    """An RGB picture as it is kept; see `core.conversation.Image` for its id."""
    width, height = image.size
    identity = hashlib.sha256(f"{width}x{height}:".encode() + image.tobytes()).hexdigest()
    png = io.BytesIO()
    image.save(png, "PNG", compress_level=3)  # a tenth larger than by default, in a third of the time
    return {"id": identity, "width": width, "height": height, "original_size": sent}, png.getvalue()


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


def _shrink(image: Image.Image, width: int, height: int) -> Image.Image:
    """As RGB in that size. A huge picture is converted strip by strip: never a second copy of it in memory."""
    colours = Colours(image)
    factor = max(1, min(image.width // width, image.height // height) // 2)
    if factor == 1:
        rough = colours.rgb(image)
        return rough if rough.size == (width, height) else rough.resize((width, height), Image.Resampling.LANCZOS)
    rough = Image.new("RGB", (math.ceil(image.width / factor), math.ceil(image.height / factor)))
    rows = max(1, STRIP // image.width // factor) * factor
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        rough.paste(colours.rgb(strip).reduce(factor), (0, top // factor))
    whole = (0, 0, image.width / factor, image.height / factor)
    return rough.resize((width, height), Image.Resampling.LANCZOS, box=whole)


def _orientation(image: Image.Image) -> int:
    """1 is upright; asked after loading, because PNG may tell at its end, and TIFF and HEIC turn themselves."""
    with contextlib.suppress(Exception):  # a broken EXIF block is no reason to refuse the picture
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    return 1


def _damaged() -> BadImage:
    return BadImage("This picture is damaged or incomplete. Please send it again, or send a screenshot of it.")


@functools.cache
def _register_heif() -> None:
    import pillow_heif

    pillow_heif.options.DECODE_THREADS = 1  # the other cores belong to the model, and threads cost address space
    pillow_heif.register_heif_opener()
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
