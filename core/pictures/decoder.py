"""Decode pictures with Pillow.

This runs inside a worker (`core.pictures.worker`), where it may crash. Its only limits are its options.
"""

import functools
import hashlib
import io
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import AvifImagePlugin, Image, ImageFile, PngImagePlugin, UnidentifiedImageError

from core.errors import BadImage, BotError, TooLarge
from core.note import Note
from core.pictures import orientation, partial
from core.pictures.animation import choose_frame, is_animated
from core.pictures.colours import Colours
from core.pictures.file_types import claims_picture, refuse_others
from core.pictures.jpeg import coefficient_bytes
from core.pictures.oblong import stretched
from core.pictures.orientation import SIDEWAYS, UPRIGHT, lying
from core.pictures.packet import Packet
from core.pictures.png import UNPACKED_BYTES, without_texts
from core.pictures.sizes import Box, check_pixels, check_shape, fit, shrink
from core.pictures.tiff import Inner, pages_of
from core.pictures.tiling import tile_boxes, tile_count, tiled_tokens
from core.regions import LEAST_PIXELS, WHOLE, Region

# Pillow knows some fifty more, and a small hostile file of a rare format costs hundreds of megabytes.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
COEFFICIENT_BYTES = 700 << 20  # of the 1 GiB that a worker may take
JPEG_PIXELS_FACTOR = 4  # a JPEG with so many times the pixels costs no more, as it is decoded at half its size


@dataclass(frozen=True, slots=True)
class PixelBudget:
    """The pixels that may be decoded, and the image tokens that may be kept of each of at most so many tiles."""

    pixels: int
    image_tokens: int
    tiles: int = 1

    def count(self, width: int, height: int) -> int:
        """Return into how many tiles a picture of that size is cut."""
        return tile_count(width, height, self.image_tokens, self.tiles)

    def tokens(self, width: int, height: int) -> int:
        """Return the image tokens that may be kept of a picture of that size."""
        return tiled_tokens(self.count(width, height), self.image_tokens)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded picture: `small` is upright, in RGB and within the budget; `original_size` what it was before.

    `whole` is the full picture, neither upright nor in RGB.
    """

    small: Image.Image
    original_size: tuple[int, int]
    whole: Image.Image
    colours: Colours
    turn: Image.Transpose | None = None
    notes: tuple[Note, ...] = ()
    tiles: Sequence[Box] = ()


def picture(
    data: bytes, pixel_limit: int, image_tokens: int, tiles: int = 1, region: Sequence[float] = ()
) -> list[Packet]:
    """Decode a file's first picture, and return it as PNG with its id, its sizes, its tiles and its notes.

    Of a `region` (see `core.regions`) of the upright picture only that is returned, which loses less detail.
    """
    with quiet():
        pages = pages_of(data)
        inner = pages[0].picture(open_picture) if pages else Inner(data)
        part = Region(*region) if region else None
        return [encode(decode(inner, PixelBudget(pixel_limit, image_tokens, tiles), part))]


@contextmanager
def quiet() -> Iterator[None]:
    """Ignore Pillow's warnings about unusual files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def decode(inner: Inner, budget: PixelBudget, region: Region | None = None) -> Decoded:
    """Open a picture, decode it, turn it upright, convert it, or a region of it, to RGB and shrink it to the budget."""
    try:
        return _Decoding(inner, budget, region).run()
    except (MemoryError, BotError):
        raise
    except Exception as error:  # Pillow's plugins raise nearly anything for a broken file
        raise damaged() from error


def finish(image: Image.Image, image_tokens: int) -> Decoded:
    """Return a picture that we drew ourselves, which is upright and has square pixels."""
    colours = Colours(image)
    return Decoded(shrink(image, colours, *fit(*image.size, image_tokens)), image.size, image, colours)


class _Decoding:
    """The decoding of one picture.

    It remembers what the header says, because Pillow forgets some of it while loading.
    """

    def __init__(self, inner: Inner, budget: PixelBudget, region: Region | None) -> None:
        self._inner = inner
        self._budget = budget
        self._region = region
        self._size = (0, 0)  # with square pixels
        self._orientation: int | None = None
        self._is_animated = False
        self._notes = list(inner.notes)

    def run(self) -> Decoded:
        image, missing = partial.load(without_texts(self._inner.data), self._open)
        self._tell(missing, image.height)
        colours = Colours(image)
        told = self._orientation or orientation.exif_orientation(image)
        told = told if told in UPRIGHT else self._inner.orientation
        turn = UPRIGHT.get(told)
        if self._region is not None:
            self._region = lying(self._region, turn)
        if self._is_animated:
            small, frame = choose_frame(image, self._check, self._frame)
            self._notes.append(
                Note(
                    "This is an animation, and only frame {frame} of it was looked at. For another one, send a "
                    "screenshot.",
                    frame=frame,
                )
            )
        else:
            small = self._shrunk(image, colours)
        _, upper, _, lower = self._box(*image.size)
        partial.blank(small, missing, upper, lower)
        size = self._original_size()
        if turn is not None:
            small = small.transpose(turn)
            size = size[::-1] if told in SIDEWAYS else size
        tiles = tile_boxes(small, self._budget.count(*size))
        return Decoded(small, size, image, colours, turn, tuple(self._notes), tiles)

    def _open(self, data: bytes) -> ImageFile.ImageFile:
        image = open_picture(data)
        self._size = stretched(image.size, image.info)
        self._orientation = orientation.container_orientation(image)
        self._is_animated = is_animated(image)
        if image.format == "HEIF" and getattr(image, "n_frames", 1) > 1:
            self._notes = [Note("This file holds several pictures, and only one of them was looked at.")]
        if image.format in ("JPEG", "MPO"):
            check_pixels(*image.size, JPEG_PIXELS_FACTOR * self._budget.pixels)
            if coefficient_bytes(image) > COEFFICIENT_BYTES:
                raise TooLarge("This picture needs too much memory to open. Please send a smaller version of it.")
            width, height = (2 * side for side in self._whole())
            if image.width * image.height > self._budget.pixels:
                width, height = min(width, image.width // 2), min(height, image.height // 2)
            image.draft(None, (width, height))  # decoded at an eighth to a half of its size
        self._check(*image.size)
        check_shape(*self._size)
        return image

    def _check(self, width: int, height: int) -> None:
        check_pixels(width, height, self._budget.pixels)

    def _frame(self, image: Image.Image) -> tuple[Image.Image, bool]:
        """Return the shrunk frame, and whether anything can be seen on it. A GIF may grow from frame to frame."""
        colours = Colours(image)
        self._size = stretched(image.size, image.info)
        return self._shrunk(image, colours), not colours.shows_nothing

    def _shrunk(self, image: Image.Image, colours: Colours) -> Image.Image:
        box = None if self._region is None else self._box(*image.size)
        original_size = self._original_size()
        return shrink(image, colours, *fit(*original_size, self._budget.tokens(*original_size)), box)

    def _box(self, width: int, height: int) -> Box:
        """Return what is wanted of a picture of that size."""
        return (0, 0, width, height) if self._region is None else self._region.pixels(width, height, LEAST_PIXELS)

    def _original_size(self) -> tuple[int, int]:
        """Return the size of what is wanted, as it was sent."""
        left, top, right, bottom = self._box(*self._size)
        return right - left, bottom - top

    def _whole(self) -> tuple[int, int]:
        """Return the size of the whole picture at which what is wanted of it has its final size."""
        width, height = self._size
        if self._region is None:
            return fit(width, height, self._budget.tokens(width, height))
        left, top, right, bottom = self._region.corners
        share = max(1e-6, (right - left) * (bottom - top) / WHOLE**2)  # the same, however the file turns it
        return fit(width, height, math.ceil(self._budget.tokens(*self._original_size()) / share))

    def _tell(self, missing: partial.Missing, height: int) -> None:
        if missing.rows:
            self._notes.append(
                Note(
                    "About {percent} % of this picture is missing. For a complete answer, please send it again.",
                    percent=max(1, round(100 * missing.count / height)),
                )
            )
        if missing.detail:
            self._notes.append(
                Note("The fine detail of this picture is missing. If you need the small print, please send it again.")
            )


def open_picture(data: bytes) -> ImageFile.ImageFile:
    """Read the file's header, without decoding a pixel."""
    refuse_others(data)
    Image.MAX_IMAGE_PIXELS = None  # our own limit follows, and refuses what Pillow only warns of
    PngImagePlugin.MAX_TEXT_CHUNK = UNPACKED_BYTES
    _register_heif()
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except MemoryError:
        raise
    except UnidentifiedImageError as error:
        if claims_picture(data):
            raise damaged() from error
        raise BadImage(
            "I cannot open this file as a picture. JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, HEIC and PDF work."
        ) from error
    except Exception as error:
        raise damaged() from error


def encode(decoded: Decoded) -> Packet:
    """Return the picture as PNG with its description. See `core.image.Image` for its id."""
    image = decoded.small
    width, height = image.size
    tiles = [list(tile) for tile in decoded.tiles]
    seen = f"{width}x{height}{tiles or ''}:".encode() + image.tobytes()
    identity = hashlib.sha256(seen).hexdigest()
    image.info.clear()  # drops the file's other data, such as a profile that is already applied
    png = io.BytesIO()
    image.save(png, "PNG", compress_level=3)  # a tenth larger than by default, in a third of the time
    notes = [[note.sentence, note.values] for note in decoded.notes]
    made = {"id": identity, "width": width, "height": height, "original_size": decoded.original_size, "notes": notes}
    made["tiles"] = tiles
    return made, png.getvalue()


def damaged() -> BadImage:
    return BadImage("This picture is damaged or incomplete. Please send it again, or send a screenshot of it.")


@functools.cache
def _register_heif() -> None:
    import pillow_heif

    pillow_heif.options.DECODE_THREADS = 1  # the other cores belong to the model, and threads cost address space
    pillow_heif.register_heif_opener()
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
