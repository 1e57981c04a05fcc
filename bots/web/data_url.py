"""Read the file in a data URL. Nothing else is ever opened: no address, and no file of this machine."""

import base64
import binascii
import re

from bots.web.openai.errors import BadField
from core.pictures.images import ImagesConfig, check_size

_DATA = re.compile(r"data:[^,;]{0,100}(?:;[^,;]{0,100}){0,5};base64,", re.IGNORECASE)
_SPACE = re.compile(r"\s+")


def read(url: str, param: str, limits: ImagesConfig) -> bytes:
    """Return the bytes of a file. Raises `TooLarge` before it decodes too many, and `BadField`."""
    begun = _DATA.match(url)
    if begun is None:
        raise no_data(param)
    return decode(url[begun.end() :], param, limits)


def decode(text: str, param: str, limits: ImagesConfig) -> bytes:
    """Return the bytes that are written in base64, with or without line ends and padding."""
    check_size(max(1, len(text) * 3 // 4), limits)
    text = _SPACE.sub("", text).rstrip("=")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BadField("The file is not written in base64.", param, "invalid_base64") from None
    if not data:
        raise BadField("This file is empty. Please send the picture again.", param, "invalid_image")
    return data


def no_data(param: str) -> BadField:
    """Return the error for anything that is no data URL."""
    return BadField(
        "Pictures are not fetched from addresses: send a data URL (data:image/png;base64,…).",
        param,
        "invalid_image_url",
    )
