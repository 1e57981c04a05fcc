"""Find out which way up a picture belongs: its EXIF says it, unless the decoder has turned it already."""

import contextlib
from collections.abc import Callable
from typing import Any

from PIL import AvifImagePlugin, ExifTags, Image

from core.regions import WHOLE, Region

UPRIGHT = {  # EXIF orientation -> the operation that turns the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = {5, 6, 7, 8}

Place = Callable[[float, float], tuple[float, float]]  # a point's place, in shares of the sides
_LYING: dict[Image.Transpose, Place] = {  # an operation -> where a point of the upright picture lies in the file's
    Image.Transpose.FLIP_LEFT_RIGHT: lambda x, y: (1 - x, y),
    Image.Transpose.ROTATE_180: lambda x, y: (1 - x, 1 - y),
    Image.Transpose.FLIP_TOP_BOTTOM: lambda x, y: (x, 1 - y),
    Image.Transpose.TRANSPOSE: lambda x, y: (y, x),
    Image.Transpose.ROTATE_270: lambda x, y: (y, 1 - x),
    Image.Transpose.TRANSVERSE: lambda x, y: (1 - y, 1 - x),
    Image.Transpose.ROTATE_90: lambda x, y: (1 - y, x),
}


def lying(region: Region, turn: Image.Transpose | None) -> Region:
    """Return a region of the upright picture as a region of the file's, which `turn` turns upright."""
    if turn is None:
        return region
    (x, y), (u, v) = (
        _LYING[turn](across / WHOLE, down / WHOLE)
        for across, down in ((region.left, region.top), (region.right, region.bottom))
    )
    return Region(WHOLE * min(x, u), WHOLE * min(y, v), WHOLE * max(x, u), WHOLE * max(y, v))


def container_orientation(image: Image.Image) -> int | None:
    """Return the orientation of a HEIF or AVIF file that is not loaded yet, or None for other formats.

    Both can say in their container how to turn the picture (`irot` and `imir`, ISO/IEC 23008-12). Then EXIF, which
    repeats it, does not count. Some phones say it only in EXIF. 1 is upright.
    """
    plugin: Any = image
    if isinstance(image, AvifImagePlugin.AvifImageFile):  # Pillow does not turn it
        *_, exif, said, _ = plugin._decoder.get_info()
        return int(said) if said != 1 else _of_exif(exif)
    if image.format == "HEIF":  # pillow_heif turns it as the container says
        transformations = plugin._heif_file[image.tell()]._c_image.transformations
        turned = any(name in ("irot", "imir") for name, *_ in transformations)
        return 1 if turned else int(image.info.get("original_orientation") or 1)
    return None


def exif_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation of a loaded image, since PNG may have it at the end. 1 is upright."""
    with contextlib.suppress(Exception):  # a broken EXIF block is no reason to refuse the picture
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    return 1


def _of_exif(block: bytes | None) -> int:
    exif = Image.Exif()
    with contextlib.suppress(Exception):
        exif.load(block or b"")
        return int(exif.get(ExifTags.Base.Orientation, 1))
    return 1
