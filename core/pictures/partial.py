"""Decode what exists of a picture whose file ends too early, and find out what is missing.

Decoders do not tell how far they came. So missing rows are found by their content. Where a decoder leaves rows alone,
they still hold the noise from before. Where a decoder makes up rows, they differ for different continuations.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageFile

from core.errors import BadImage, BotError
from core.pictures import webp
from core.pictures.jpeg import has_all_frequencies, is_progressive

Open = Callable[[bytes], ImageFile.ImageFile]
LARGEST_MISSING_SHARE = 0.45  # of the rows; an interlaced picture may have half its rows and still not be whole
STREAK_ROWS = 4  # so few missing rows may be a copy of the row above
FILLINGS = bytes(16), b"\x55" * 16, b"\x2d\xb4" * 8  # different continuations, followed by zeros
BLOCK_ROWS = 16  # that JPEG and WebP write at once, or a multiple of them
JPEG_FILLING_ZEROS = 4096  # after which a JPEG decoder has forgotten the picture
WEBP_FILLING_ZEROS = 1 << 20  # a WebP decoder must not reach the end, and few bits make a pixel
TAIL_PIXELS = 16  # of a row's end that are compared with the noise
END_OF_JPEG = b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class Missing:
    """What is missing of a loaded picture: rows as (first, after last), or else its finest detail."""

    rows: tuple[tuple[int, int], ...] = ()
    detail: bool = False

    @property
    def count(self) -> int:
        return sum(end - first for first, end in self.rows)


def load(data: bytes, open_picture: Open) -> tuple[ImageFile.ImageFile, Missing]:
    """Load a picture that may be cut off. Raises `BadImage` when too little of it exists, and what Pillow raises."""
    if webp.is_short(data):
        try:
            return _filled(data, open_picture)
        except (MemoryError, BotError):
            raise
        except Exception as error:  # a lossless file often cannot be continued
            raise incomplete() from error
    image = open_picture(data)
    try:
        image.load()
        return image, Missing()
    except MemoryError:
        raise
    except Exception as error:  # Pillow's plugins raise nearly anything for a broken file
        if not _ended_early(error, image):
            raise
    if data.startswith(b"\xff\xd8"):
        return _filled(data, open_picture)
    return _over_noise(data, open_picture)


def blank(small: Image.Image, missing: Missing, upper: int, lower: int) -> None:
    """Paint missing rows grey in a version of the picture from row `upper` to `lower`, except for thin streaks."""
    height = lower - upper
    for first, end in missing.rows:
        if end - first > STREAK_ROWS and upper < end and first < lower:
            top = (max(first, upper) - upper) * small.height // height
            bottom = -(-(min(end, lower) - upper) * small.height // height)
            small.paste("grey", (0, top, small.width, bottom))


def incomplete() -> BadImage:
    return BadImage("This picture is incomplete: its file ends too early. Please send it again.")


def _ended_early(error: Exception, image: ImageFile.ImageFile) -> bool:
    """Return whether a file ended too early. libtiff only says that it failed."""
    return "truncated" in str(error) or isinstance(error, EOFError) or image.format == "TIFF"


def _filled(data: bytes, open_picture: Open) -> tuple[ImageFile.ImageFile, Missing]:
    """Load a JPEG or WebP twice with different continuations: the rows that agree belong to the picture."""
    rows = []
    for filling in FILLINGS:
        image = open_picture(_with(data, filling))
        image.load()
        rows.append([hash(_row(image, at).tobytes()) for at in range(image.height)])
    first = next((at for at, row in enumerate(zip(*rows, strict=True)) if len(set(row)) > 1), image.height)
    if first == image.height or data.startswith(b"RIFF") or not is_progressive(data):
        whole_blocks = first - first % BLOCK_ROWS if first < image.height else first
        return _mended(image, list(range(whole_blocks, image.height)))
    if not has_all_frequencies(data):
        raise incomplete()
    image = open_picture(data + END_OF_JPEG)
    image.load()
    return image, Missing(detail=True)


def _over_noise(data: bytes, open_picture: Open) -> tuple[ImageFile.ImageFile, Missing]:
    """Load another format over noise: its decoder leaves rows alone that it does not reach."""
    image = open_picture(data)
    if image.format == "GIF":
        if image.tile[0].extents != (0, 0, *image.size):
            raise incomplete()
        image._frame_transparency = None  # type: ignore[attr-defined]  # would be laid over the noise
    length = len(Image.new(image.mode, (image.width, 1)).tobytes())
    noise = Image.frombytes(image.mode, (image.width, 1), Random(1).randbytes(length))
    ground = Image.new(image.mode, image.size)
    for at in range(image.height):
        ground.paste(noise, (0, at))
    image.im = ground.im
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        image.load()
    except OSError:
        if image.format != "TIFF":  # libtiff keeps what it has decoded
            raise
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    before = _tail(noise, 0)
    return _mended(image, [at for at in range(image.height) if not before.isdisjoint(_tail(image, at))])


def _row(image: Image.Image, at: int) -> Image.Image:
    return image.crop((0, at, image.width, at + 1))


def _tail(image: Image.Image, at: int) -> set[tuple[int, bytes]]:
    """Return the end of a row for each colour, since rows, tiles and colours may be stored one after the other."""
    end = image.crop((max(0, image.width - TAIL_PIXELS), at, image.width, at + 1))
    return {(number, band.tobytes()) for number, band in enumerate(end.split())}


def _mended(image: ImageFile.ImageFile, rows: list[int]) -> tuple[ImageFile.ImageFile, Missing]:
    """Fill each missing row from its nearest neighbour, so that it does not change the picture's colours."""
    if len(rows) > LARGEST_MISSING_SHARE * image.height:
        raise incomplete()
    runs: list[tuple[int, int]] = []
    for at in rows:
        first = runs.pop()[0] if runs and runs[-1][1] == at else at
        runs.append((first, at + 1))
    for first, end in runs:
        neighbour = _row(image, first - 1 if first else end)
        for at in range(first, end):
            image.paste(neighbour, (0, at))
    return image, Missing(tuple(runs))


def _with(data: bytes, filling: bytes) -> bytes:
    if data.startswith(b"RIFF"):
        return webp.gone_on(data, filling, WEBP_FILLING_ZEROS)
    return data + filling + bytes(JPEG_FILLING_ZEROS) + END_OF_JPEG
