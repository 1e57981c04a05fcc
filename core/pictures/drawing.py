"""Draw on pictures that were decoded before: boxes with labels, and sheets of numbered pictures. Runs in a worker."""

import functools
import io
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from core.pictures import fonts

Part = tuple[dict[str, Any], bytes]

COLOURS = ("#d62828", "#1d70b8", "#2a7f3f", "#b35900", "#7b2d8b", "#00707a")  # each readable under white letters
TILE_PIXELS = 320  # of a picture on a sheet
SHEET_COLUMNS = 4
TILE_GAP_PIXELS = 16


def boxes(data: bytes, boxes: Sequence[Sequence[Any]]) -> list[Part]:
    """Draw boxes on a picture: left, top, right and bottom in thousandths, and a label."""
    image = _opened(data)
    pen = ImageDraw.Draw(image)
    width = max(2, min(image.size) // 150)
    size = min(max(14, min(image.size) // 25), 48)
    for index, (left, top, right, bottom, label) in enumerate(boxes):
        colour = COLOURS[index % len(COLOURS)]
        corners = _pixels(image, left, top, right, bottom)
        if (left, top) == (right, bottom):
            corners = _around(corners[:2], 3 * width)
            pen.ellipse(corners, fill=colour, outline="white", width=width)
        else:
            frame = _inside(_around(corners, width), image.size)  # around the object, so that all of it stays visible
            pen.rectangle(_around(frame, width), outline="white", width=width)  # visible on any background
            pen.rectangle(frame, outline=colour, width=width)
        _write(pen, _drawable(label) or str(index + 1), corners, colour, size, image.size)
    return [({}, _png(image))]


def sheet(data: bytes, sizes: Sequence[int], numbers: Sequence[int]) -> list[Part]:
    """Draw the pictures, whose files follow each other in `data`, side by side with their numbers."""
    columns = min(SHEET_COLUMNS, len(sizes))
    rows = -(-len(sizes) // columns)
    step = TILE_PIXELS + TILE_GAP_PIXELS
    board = Image.new("RGB", (columns * step + TILE_GAP_PIXELS, rows * step + TILE_GAP_PIXELS), "#f2f2f2")
    pen = ImageDraw.Draw(board)
    start = 0
    for index, (size, number) in enumerate(zip(sizes, numbers, strict=True)):
        tile = _opened(data[start : start + size])
        start += size
        tile.thumbnail((TILE_PIXELS, TILE_PIXELS))
        left, top = TILE_GAP_PIXELS + index % columns * step, TILE_GAP_PIXELS + index // columns * step
        board.paste(tile, (left + (TILE_PIXELS - tile.width) // 2, top + (TILE_PIXELS - tile.height) // 2))
        _write(pen, str(number), (left, top, left, top), "#222222", 40, board.size)
    return [({}, _png(board))]


def _opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=("PNG",))
    return image.convert("RGB")


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=3)
    return file.getvalue()


def _pixels(image: Image.Image, *corners: float) -> tuple[float, float, float, float]:
    left, top, right, bottom = corners
    width, height = (side - 1 for side in image.size)
    return left * width / 1000, top * height / 1000, right * width / 1000, bottom * height / 1000


def _around(corners: Sequence[float], margin: float) -> tuple[float, float, float, float]:
    left, top, right, bottom = corners if len(corners) == 4 else (*corners, *corners)
    return left - margin, top - margin, right + margin, bottom + margin


def _inside(corners: tuple[float, float, float, float], size: tuple[int, int]) -> tuple[float, float, float, float]:
    left, top, right, bottom = corners
    return max(left, 0), max(top, 0), min(right, size[0] - 1), min(bottom, size[1] - 1)


def _write(
    pen: ImageDraw.ImageDraw,
    text: str,
    corners: tuple[float, float, float, float],
    colour: str,
    size: int,
    within: tuple[int, int],
) -> None:
    """Write text on a plate above the corners' top left, or inside where the picture ends."""
    font = _font(size)
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    width, height = right - left + size // 2, bottom - top + size // 3
    x = max(0, min(corners[0], within[0] - width))
    y = corners[1] - height if corners[1] >= height else min(corners[1], within[1] - height)
    pen.rectangle((x, y, x + width, y + height), fill=colour)
    pen.text((x + size // 4 - left, y + size // 6 - top), text, font=font, fill="white")


def _drawable(label: str) -> str:
    """Return the label without characters that the font lacks. A box whose label is empty shows its number."""
    font = _font(20)
    missing = bytes(font.getmask("\U0010ffff"))
    return "".join(sign for sign in label if sign.isspace() or bytes(font.getmask(sign)) != missing).strip()


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(fonts.PATH, size)
