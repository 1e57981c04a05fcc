"""Convert any picture's colours to sRGB: palettes, 16 bits, CMYK, colour profiles and transparency."""

import io
import math
from typing import Any, cast

from PIL import Image, ImageCms

from core.pictures.transparency import Transparency

TRANSPARENT = {"RGBA", "RGBa", "LA", "La", "PA"}
DEEP = {"I", "F", "I;16", "I;16L", "I;16B", "I;16N"}
# White in 8, 10, 12, 14 and 16 bits: cameras and scanners store fewer bits in sixteen.
WHITES = (255, 1023, 4095, 16383, 65535)
SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK", "LAB": "Lab"}  # Pillow's mode -> a profile's colour space


class Colours:
    """How to convert one loaded image to sRGB. It is found once, then applied to the whole image or strip by strip."""

    def __init__(self, image: Image.Image) -> None:
        has_alpha = image.mode in TRANSPARENT or ("transparency" in image.info and image.mode not in DEEP)
        self._transparency = Transparency.of(image) if has_alpha else None
        self._black, self._white = _levels(image) if image.mode in DEEP else (0.0, 255.0)
        self._mode = _plain_mode(image.mode) if not has_alpha else "RGB"
        self._profile = _profile(image, self._mode)

    @property
    def shows_nothing(self) -> bool:
        return self._transparency is not None and self._transparency.hides_all

    def rgb(self, part: Image.Image, top: int = 0) -> Image.Image:
        """Return the whole picture in RGB, or a strip of it that begins with row `top`."""
        if part.mode in DEEP:
            scale = 255 / (self._white - self._black)
            deep = part if part.mode == "F" else part.convert("I").convert("F")
            part = deep.point(lambda value: value * scale - self._black * scale + 0.5).convert("L")
        if self._transparency is not None:
            part = self._transparency.flattened(part, top)
        if part.mode != self._mode:
            part = part.convert(self._mode)
        if self._profile is not None:
            part = ImageCms.applyTransform(part, self._profile) or part
        return part if part.mode == "RGB" else part.convert("RGB")


def _plain_mode(mode: str) -> str:
    if mode in DEEP or mode == "1":
        return "L"
    return mode if mode in SPACES else "RGB"


def _levels(image: Image.Image) -> tuple[float, float]:
    """Return the values that become black and white. A plain conversion would clip everything over 255 to white."""
    known = image.convert("I") if image.mode == "I;16B" else image  # Pillow cannot measure this one
    low, high = (float(value) for value in cast("tuple[float, float]", known.getextrema()))
    if not math.isfinite(low) or not math.isfinite(high):
        return 0.0, 255.0
    if image.mode.startswith("I;16") and image.format == "PNG":
        return 0.0, 65535.0
    if low >= 0 and image.mode != "F":
        return next(((0.0, float(white)) for white in WHITES if high <= white), (low, high))
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    return low, high if high > low else low + 1


def _profile(image: Image.Image, mode: str) -> Any:
    """Return the transform from the embedded profile to sRGB, or None without a usable one.

    LAB can be converted to RGB in no other way.
    """
    embedded = image.info.get("icc_profile")
    try:
        if mode == "LAB":
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        elif isinstance(embedded, bytes) and embedded:
            source = ImageCms.ImageCmsProfile(io.BytesIO(embedded))
        else:
            return None
        if source.profile.xcolor_space.strip() != SPACES.get(mode):
            return None
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
