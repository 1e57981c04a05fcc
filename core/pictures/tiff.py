"""Find the pictures in a TIFF file or in a camera's raw file, which is a TIFF. A small preview is not the picture."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from core.errors import BadImage
from core.note import Note
from core.pictures import refusals

if TYPE_CHECKING:
    from PIL import Image

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
WIDTH, HEIGHT, PHOTOMETRIC, ORIENTATION = 256, 257, 262, 274
SUBFILE_TYPE, OLD_SUBFILE_TYPE, SUB_IFDS = 254, 255, 330
JPEG_START, JPEG_LENGTH = 513, 514  # of a whole JPEG file inside
SMALLER, MASK, OLD_SMALLER = 1, 4, 2  # bits and values of the subfile types
SENSOR = {32803, 34892}  # photometric interpretations of raw sensor data
SIZES = {1: 1, 3: 2, 4: 4, 13: 4, 16: 8, 18: 8}  # bytes of a value, by its type
MOST_DIRECTORIES = 10_000
MOST_ENTRIES = 1_000_000  # of all directories together
MOST_ENTRY_VALUES = 16  # that are read of one entry
PREVIEW_PIXELS_FACTOR = 4  # a picture has more than so many times the pixels of its preview
LEGIBLE_SIDE_PIXELS = 640  # nothing can be read in a preview whose longer side is shorter


@dataclass(frozen=True, slots=True)
class Directory:
    """One picture's description (TIFF 6.0, section 2). `orientation_at` is the offset of its orientation, or 0."""

    offset: int
    next: int
    tags: dict[int, tuple[int, ...]]
    orientation_at: int

    def first(self, tag: int) -> int:
        return self.tags.get(tag, (0,))[0]

    @property
    def pixels(self) -> int:
        return self.first(WIDTH) * self.first(HEIGHT)

    @property
    def is_preview(self) -> bool:
        """Whether this is a smaller version of a photo or a mask, not a page of its own."""
        return bool(self.first(SUBFILE_TYPE) & (SMALLER | MASK) or self.first(OLD_SUBFILE_TYPE) == OLD_SMALLER)


@dataclass(frozen=True, slots=True)
class Inner:
    """A picture inside a file, as a file of its own. `orientation` and `notes` come from the outer file."""

    data: bytes
    orientation: int = 1
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class TiffPage:
    """One page or photo: a directory in the chain and the directories below it."""

    tiff: "Tiff"
    directories: list[Directory]

    def picture(self, open_picture: Callable[[bytes], "Image.Image"]) -> Inner:
        """Return the largest picture that can be opened. Raises `BadImage` if that is only a thumbnail, or nothing."""
        failure, best, size = refusals.preview(), self.directories[0], (0, 0)
        for directory in self.directories:  # a camera's JPEG is not described, so it must be opened to know its size
            try:
                width, height = open_picture(self._inner(directory).data).size
            except BadImage as error:
                failure = error
                continue
            if width * height > size[0] * size[1]:
                best, size = directory, (width, height)
        whole = max(directory.pixels for directory in self.directories)
        is_from_sensor = any(directory.first(PHOTOMETRIC) in SENSOR for directory in self.directories)
        is_preview = best.is_preview or is_from_sensor
        if size > (0, 0) and (size[0] * size[1] * PREVIEW_PIXELS_FACTOR >= whole or not is_preview):
            return self._inner(best)
        if max(size) >= LEGIBLE_SIDE_PIXELS:
            note = Note("Only the preview in this file was looked at. For more detail, please send it as JPEG.")
            return replace(self._inner(best), notes=(note,))
        raise refusals.raw() if is_from_sensor else failure

    def _inner(self, directory: Directory) -> Inner:
        """Return the directory as a file. Only the page's preview may tell the orientation."""
        told = next((o for d in (directory, *self.directories) if (o := d.first(ORIENTATION))), 1)
        return Inner(self.tiff.beginning_with(directory), told)


def pages_of(data: bytes) -> list[TiffPage]:
    """Return the pages of a TIFF file. There are none in other files, or when nothing can be found."""
    return Tiff(data).pages if data.startswith(MAGIC) else []


def has_pages(data: bytes) -> bool:
    """Return whether it is a TIFF with a second picture in its chain, by reading a few bytes."""
    return data.startswith(MAGIC) and Tiff(data).has_second


class Tiff:
    """A TIFF file by its first bytes. Parts of it that cannot be read are ignored."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._order: Literal["big", "little"] = "big" if data[:2] == b"MM" else "little"
        self._is_big = data[2:4] in (b"+\0", b"\0+")  # BigTIFF, with 64-bit offsets
        self._layout = (8, 20, 8) if self._is_big else (2, 12, 4)  # bytes of a count, an entry and an offset
        self._start = self._number(8, 8) if self._is_big else self._number(4, 4)
        self._entries = 0

    @property
    def has_second(self) -> bool:
        """Whether the first directory points to another."""
        counter, entry, word = self._layout
        following = self._start + counter + entry * self._number(self._start, counter)
        return following + word <= len(self._data) and self._number(following, word) != 0 and not self._is_canon

    @property
    def pages(self) -> list[TiffPage]:
        chain = list(self._follow(self._start))
        pages = [chain] if self._is_canon else [[directory, *self._below(directory)] for directory in chain]
        whole = [page for page in pages if not all(directory.is_preview for directory in page)] or pages[:1]
        return [TiffPage(self, page) for page in whole if page]

    def beginning_with(self, directory: Directory) -> bytes:
        """Return the file with this directory first and marked upright, because Pillow would turn it too."""
        start, length = directory.first(JPEG_START), directory.first(JPEG_LENGTH)
        if start and length:
            return self._data[start : start + length]
        data = bytearray(self._data)
        word = self._layout[2]  # also the position of the first directory's offset
        data[word : 2 * word] = directory.offset.to_bytes(word, self._order)
        if at := directory.orientation_at:
            data[at : at + 2] = (1).to_bytes(2, self._order)
        return bytes(data)

    @property
    def _is_canon(self) -> bool:
        """Whether it is a Canon raw file, which has its previews in the chain as if they were pages."""
        return self._data[8:10] == b"CR"

    def _follow(self, offset: int) -> Iterator[Directory]:
        seen: set[int] = set()
        while offset and offset not in seen and len(seen) < MOST_DIRECTORIES:
            seen.add(offset)
            directory = self._read(offset)
            if directory is None:
                return
            yield directory
            offset = directory.next

    def _below(self, directory: Directory) -> list[Directory]:
        found = (self._read(offset) for offset in directory.tags.get(SUB_IFDS, ()))
        return [below for below in found if below is not None]

    def _read(self, offset: int) -> Directory | None:
        """Return the directory at this offset with its integer tags, or None if there is none."""
        counter, entry, word = self._layout
        count = self._number(offset, counter)
        start, end = offset + counter, offset + counter + count * entry
        self._entries += count
        if not 0 < count <= 0xFFFF or end > len(self._data) or self._entries > MOST_ENTRIES:
            return None
        tags: dict[int, tuple[int, ...]] = {}
        orientation_at = 0
        for at in range(start, end, entry):
            tag, width = self._number(at, 2), SIZES.get(self._number(at + 2, 2), 0)
            values, place = self._number(at + 4, word), at + 4 + word
            if tag == ORIENTATION:
                orientation_at = place
            if width * values > word:
                place = self._number(place, word)
            if width and values:
                tags[tag] = tuple(self._number(place + n * width, width) for n in range(min(values, MOST_ENTRY_VALUES)))
        return Directory(offset, self._number(end, word), tags, orientation_at)

    def _number(self, at: int, size: int) -> int:
        """Return the integer at this offset, or 0 beyond the end."""
        return int.from_bytes(self._data[at : at + size], self._order)
