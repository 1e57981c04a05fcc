"""Draw on pictures that were decoded before: boxes with labels, and sheets of numbered pictures. Runs in a worker."""

import functools
import io
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont, ImageStat

from core.pictures import fonts
from core.pictures.packet import Packet

Rectangle = tuple[float, float, float, float]  # left, top, right and bottom in pixels

COLOURS = ("#d62828", "#1d70b8", "#2a7f3f", "#b35900", "#7b2d8b", "#00707a")  # each readable under white letters
TILE_PIXELS = 320  # of a picture on a sheet
SHEET_COLUMNS = 4
TILE_GAP_PIXELS = 16
EMPTY_DEVIATION = 12.0  # of grey levels in an area where nothing stands; print has more


def boxes(data: bytes, boxes: Sequence[Sequence[Any]]) -> list[Packet]:
    """Draw boxes on a picture: left, top, right and bottom in thousandths, and a label."""
    image = _opened(data)
    plain = image.convert("L")
    pen = ImageDraw.Draw(image)
    width = max(2, min(image.size) // 150)
    size = min(max(14, min(image.size) // 25), 48)
    marks = [_pixels(image, left, top, right, bottom) for left, top, right, bottom, _ in boxes]
    taken = [_around(corners, 3 * width) for corners in marks]
    for index, corners in enumerate(marks):
        colour = COLOURS[index % len(COLOURS)]
        if corners[:2] == corners[2:]:
            pen.ellipse(_around(corners, 3 * width), fill=colour, outline="white", width=width)
        else:
            frame = _inside(_around(corners, width), image.size)  # around the object, so that all of it stays visible
            pen.rectangle(_around(frame, width), outline="white", width=width)  # visible on any background
            pen.rectangle(frame, outline=colour, width=width)
    for index in range(len(marks)):
        colour, text = COLOURS[index % len(COLOURS)], _drawable(boxes[index][4]) or str(index + 1)
        plate, empty = _beside(taken[index], _plate(pen, text, size), plain, taken)
        (_write if empty else _write_over)(pen, text, plate[:2], colour, size)
        taken.append(plate)
    return [({}, _png(image))]


def thumbnail(data: bytes, pixels: int) -> list[Packet]:
    """Shrink a picture to at most so many pixels on each side. No part of it is cut off."""
    image = _opened(data)
    image.thumbnail((pixels, pixels))
    return [({}, _png(image))]


def sheet(data: bytes, sizes: Sequence[int], numbers: Sequence[int]) -> list[Packet]:
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
        _write(pen, str(number), (left, top), "#222222", 40)
    return [({}, _png(board))]


def _opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=("PNG",))
    return image.convert("RGB")


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=3)
    return file.getvalue()


def _pixels(image: Image.Image, *corners: float) -> Rectangle:
    left, top, right, bottom = corners
    width, height = (side - 1 for side in image.size)
    return left * width / 1000, top * height / 1000, right * width / 1000, bottom * height / 1000


def _around(corners: Sequence[float], margin: float) -> Rectangle:
    left, top, right, bottom = corners if len(corners) == 4 else (*corners, *corners)
    return left - margin, top - margin, right + margin, bottom + margin


def _inside(corners: Rectangle, size: tuple[int, int]) -> Rectangle:
    left, top, right, bottom = corners
    return max(left, 0), max(top, 0), min(right, size[0] - 1), min(bottom, size[1] - 1)


def _beside(
    box: Rectangle, plate: tuple[float, float], plain: Image.Image, taken: Sequence[Rectangle]
) -> tuple[Rectangle, bool]:
    """Return a place for a plate next to a box, on none of what is taken, and whether the picture is empty there."""
    (left, top, right, bottom), (width, height) = box, plate
    corners = [(x, y) for y in (top - height, bottom) for x in (left, right - width)]
    corners += [(x, y) for x in (right, left - width) for y in (top, bottom - height)]
    areas = [(x, y, x + width, y + height) for x, y in corners]
    inside = [it for it in areas if it == _inside(it, plain.size)]
    found = [(_ink(plain, area), place, area) for place, area in enumerate(inside) if not _overlaps(area, taken)]
    if empty := [area for ink, _, area in found if ink <= EMPTY_DEVIATION]:
        return empty[0], True
    if found:
        return min(found)[2], False
    x, y = max(0.0, min(left, plain.width - width)), max(0.0, min(top - height, plain.height - height))
    return (x, y, x + width, y + height), False


def _ink(plain: Image.Image, area: Rectangle) -> float:
    """Return how much stands in an area, as the deviation of its grey levels."""
    left, top, right, bottom = map(round, area)
    return ImageStat.Stat(plain.crop((left, top, right + 1, bottom + 1))).stddev[0]


def _overlaps(area: Rectangle, others: Sequence[Rectangle]) -> bool:
    left, top, right, bottom = area
    return any(left < it[2] and it[0] < right and top < it[3] and it[1] < bottom for it in others)


def _write(pen: ImageDraw.ImageDraw, text: str, place: tuple[float, float], colour: str, size: int) -> None:
    """Write text on a plate whose top left is given."""
    font = _font(size)
    width, height = _plate(pen, text, size)
    left, top, *_ = pen.textbbox((0, 0), text, font=font)
    x, y = place
    pen.rectangle((x, y, x + width - 1, y + height - 1), fill=colour)
    pen.text((x + size // 4 - left, y + size // 6 - top), text, font=font, fill="white")


def _write_over(pen: ImageDraw.ImageDraw, text: str, place: tuple[float, float], colour: str, size: int) -> None:
    """Write text without a plate, because something stands there."""
    left, top, *_ = pen.textbbox((0, 0), text, font=_font(size))
    origin = place[0] + size // 4 - left, place[1] + size // 6 - top
    pen.text(origin, text, font=_font(size), fill=colour, stroke_width=2, stroke_fill="white")


def _plate(pen: ImageDraw.ImageDraw, text: str, size: int) -> tuple[float, float]:
    left, top, right, bottom = pen.textbbox((0, 0), text, font=_font(size))
    return right - left + size // 2, bottom - top + size // 3


def _drawable(label: str) -> str:
    """Return the label without characters that the font lacks. A box whose label is empty shows its number."""
    font = _font(20)
    missing = bytes(font.getmask("\U0010ffff"))
    return "".join(sign for sign in label if sign.isspace() or bytes(font.getmask(sign)) != missing).strip()


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(fonts.PATH, size)
