"""Decodes what there is of a picture whose file ends too early, and finds out what is missing.

Decoders do not tell how far they came. So the rows that they did not reach are found by what they hold: the noise that
was there before, or, where a decoder makes up what is missing, something else for each way to go on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageFile

from core.errors import BadImage, BotError
from core.pictures import webp
from core.pictures.jpeg import has_all_frequencies, is_progressive

Open = Callable[[bytes], ImageFile.ImageFile]
MOST_MISSING = 0.45  # of the rows; half of an interlaced picture's rows may be there without a whole picture
STREAK = 4  # rows that a copy of the one above them may stand for
FILLINGS = bytes(16), b"\x55" * 16, b"\x2d\xb4" * 8  # to go on with; zeros follow
BLOCK = 16  # rows that JPEG and WebP write at once, or a divisor of that
FILLED = 4096  # zeros behind it, in which a JPEG decoder loses what it knew
MOST_FILLED = 1 << 20  # zeros for a WebP decoder, which must not come to an end; few bits of them make a pixel
TAIL = 16  # pixels of a row's end that noise is known by
END_OF_JPEG = b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class Missing:
    """Which rows of a loaded picture are not the picture's, as (first, after last); or else its finest detail."""

    rows: tuple[tuple[int, int], ...] = ()
    detail: bool = False

    @property
    def count(self) -> int:
        return sum(end - first for first, end in self.rows)


def load(data: bytes, open_picture: Open) -> tuple[ImageFile.ImageFile, Missing]:
    """Raises what opening and loading raise; `BadImage` when too little of the picture is there."""
    if webp.is_short(data):
        try:
            return _filled(data, open_picture)
        except (MemoryError, BotError):
            raise
        except Exception as error:  # a lossless one often cannot be gone on with
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


def blank(small: Image.Image, missing: Missing, height: int) -> None:
    """Paint grey what is missing in a version of a picture with that height, where it is more than a streak."""
    for first, end in missing.rows:
        if end - first > STREAK:
            top, bottom = first * small.height // height, -(-end * small.height // height)
            small.paste("grey", (0, top, small.width, bottom))


def incomplete() -> BadImage:
    return BadImage("This picture is incomplete: its file ends too early. Please send it again.")


def _ended_early(error: Exception, image: ImageFile.ImageFile) -> bool:
    """libtiff says nothing but that it failed."""
    return "truncated" in str(error) or isinstance(error, EOFError) or image.format == "TIFF"


def _filled(data: bytes, open_picture: Open) -> tuple[ImageFile.ImageFile, Missing]:
    """For JPEG and WebP, whose decoders make up what is missing: what is the picture's is the same in both ways."""
    rows = []
    for filling in FILLINGS:
        image = open_picture(_with(data, filling))
        image.load()
        rows.append([hash(_row(image, at).tobytes()) for at in range(image.height)])
    first = next((at for at, row in enumerate(zip(*rows, strict=True)) if len(set(row)) > 1), image.height)
    if first == image.height or data.startswith(b"RIFF") or not is_progressive(data):
        whole_blocks = first - first % BLOCK if first < image.height else first
        return _mended(image, list(range(whole_blocks, image.height)))
    if not has_all_frequencies(data):
        raise incomplete()
    image = open_picture(data + END_OF_JPEG)
    image.load()
    return image, Missing(detail=True)


def _over_noise(data: bytes, open_picture: Open) -> tuple[ImageFile.ImageFile, Missing]:
    """For other formats, whose decoders leave alone what they do not reach."""
    image = open_picture(data)
    if image.format == "GIF":
        if image.tile[0].extents != (0, 0, *image.size):
            raise incomplete()
        image._frame_transparency = None  # type: ignore[attr-defined]  # it would be laid over the noise
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
        if image.format != "TIFF":  # libtiff leaves what it had
            raise
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    before = _tail(noise, 0)
    return _mended(image, [at for at in range(image.height) if not before.isdisjoint(_tail(image, at))])


def _row(image: Image.Image, at: int) -> Image.Image:
    return image.crop((0, at, image.width, at + 1))


def _tail(image: Image.Image, at: int) -> set[tuple[int, bytes]]:
    """The end of a row, each colour for itself: rows, tiles and colours may come one after the other."""
    end = image.crop((max(0, image.width - TAIL), at, image.width, at + 1))
    return {(number, band.tobytes()) for number, band in enumerate(end.split())}


def _mended(image: ImageFile.ImageFile, rows: list[int]) -> tuple[ImageFile.ImageFile, Missing]:
    """With each missing row like its nearest neighbour, so that it has nothing to say about the picture's colours."""
    if len(rows) > MOST_MISSING * image.height:
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
        return webp.gone_on(data, filling, MOST_FILLED)
    return data + filling + bytes(FILLED) + END_OF_JPEG
