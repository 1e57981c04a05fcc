"""Choose where a tall or wide picture is cut into tiles, so that its print is shrunk less: where nothing is printed.

Runs inside a worker (`core.pictures.worker`).
"""

import math
from collections.abc import Sequence

from PIL import Image, ImageChops

from core.pictures.sizes import TOKEN_PIXELS, Box

TILED_ASPECT = 2.5  # long side : short side; a phone's whole screen has up to 2.3, and stays whole
SHRUNK_AREA = 1.5  # what is shrunk less, to 82 % of its width at least, stays whole
TILED_TOKENS = 4096  # of all tiles of a picture together: half of what a conversation has by default
SEARCHED = 0.25  # of a tile's length, before and after the ideal cut
OVERLAP = 0.125  # of a tile's length, that two tiles share where print is everywhere
EDGE = 24  # difference of two neighbouring pixels' brightness that may be the edge of a letter
THROUGH = 0.8  # of the rows, that a rule such as a table's goes through; print may touch it
LEAST_GAP_ROWS = 2


def tile_count(width: int, height: int, image_tokens: int, most: int) -> int:
    """Return into how many tiles a picture of that size is cut, each with `image_tokens`; 1: it stays whole."""
    long, short = max(width, height), min(width, height)
    if long < TILED_ASPECT * short:
        return 1
    area = width * height / (image_tokens * TOKEN_PIXELS**2)  # 1: nothing is shrunk
    if area < SHRUNK_AREA:
        return 1
    needed = math.ceil(area)
    return max(1, min(most, needed, round(long / short)))


def tiled_tokens(count: int, image_tokens: int) -> int:
    """Return the image tokens that so many tiles may take together."""
    return max(image_tokens, min(count * image_tokens, TILED_TOKENS))


def tile_boxes(image: Image.Image, count: int) -> list[Box]:
    """Return the boxes of `count` tiles of an RGB picture, from the top down or from left to right; none of one tile.

    Together they cover the picture. They meet in a wide gap near the ideal cut, and overlap where there is no gap.
    """
    if count < 2:
        return []
    is_wide = image.width > image.height
    lying = image.transpose(Image.Transpose.TRANSPOSE) if is_wide else image
    length = lying.height / count
    begin, spans = 0, []
    for number in range(1, count):
        end, following = _cut(lying, round(number * length), length)
        spans.append((begin, end))
        begin = following
    spans.append((begin, lying.height))
    width = lying.width
    return [(first, 0, last, width) if is_wide else (0, first, width, last) for first, last in spans]


def _cut(image: Image.Image, ideal: int, length: float) -> tuple[int, int]:
    """Return the row where one tile ends, and that where the next begins."""
    first = ideal - int(SEARCHED * length)
    window = image.crop((0, first, image.width, ideal + int(SEARCHED * length)))
    gap = _gap(_ink(window))
    if gap is None:
        half = int(OVERLAP * length / 2)
        return ideal + half, ideal - half
    middle = first + gap
    return middle, middle


def _gap(ink: Sequence[bool]) -> int | None:
    """Return the middle of a run of rows without ink: of those at least half as wide as the widest the middlemost."""
    gaps: list[tuple[int, int]] = []  # first row, and the row after the last
    begin = 0
    for row, printed in enumerate([*ink, True]):
        if printed:
            if row - begin >= LEAST_GAP_ROWS:
                gaps.append((begin, row))
            begin = row + 1
    if not gaps:
        return None
    widest = max(end - begin for begin, end in gaps)
    wide = [(begin + end) // 2 for begin, end in gaps if 2 * (end - begin) >= widest]
    return min(wide, key=lambda middle: abs(2 * middle - len(ink)))


def _ink(window: Image.Image) -> list[bool]:
    """Return for each row whether something is printed there: edges that are not those of rules, which go through."""
    width, height = window.size
    if width < 2:
        return [False] * height
    grey = window.convert("L")
    steps = ImageChops.difference(grey.crop((1, 0, width, height)), grey.crop((0, 0, width - 1, height)))
    edges = steps.point([0] * EDGE + [255] * (256 - EDGE))
    through = sum(share >= THROUGH * 255 for share in _means(edges, (width - 1, 1)))
    return [round(share * (width - 1) / 255) > through for share in _means(edges, (1, height))]


def _means(edges: Image.Image, size: tuple[int, int]) -> Sequence[float]:
    """Return the mean of each row or column, unrounded."""
    return memoryview(edges.convert("F").resize(size, Image.Resampling.BOX).tobytes()).cast("f")
