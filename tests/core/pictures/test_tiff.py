import io
import struct
from collections.abc import Sequence

import pytest
from PIL import Image as Pillow

from core.errors import BadImage
from core.i18n import Translator
from core.pictures.documents import open_document
from core.pictures.images import make_image
from core.pictures.tiff import MOST_DIRECTORIES, pages_of
from tests.core.files import GREEN, RED, encoded, plain
from tests.core.prints import raw_with_thumbnail

Tags = dict[int, int | bytes]


def rgb(png: bytes) -> object:
    return Pillow.open(io.BytesIO(png)).getpixel((9, 9))


def raw(*directories: Tags, below: Sequence[Tags] = (), order: str = "<") -> bytes:
    """A file of these directories, one after the other; bytes are put into the file, and their place into the tag."""
    data = bytearray((b"II*\0" if order == "<" else b"MM\0*") + bytes(4))
    link = 4

    def written(tags: Tags) -> int:
        values = {}
        for tag, value in tags.items():
            if isinstance(value, bytes):
                values[tag] = len(data)
                data.extend(value + bytes(len(value) % 2))
            else:
                values[tag] = value
        at = len(data)
        data.extend(struct.pack(f"{order}H", len(values)))
        for tag, number in sorted(values.items()):
            count = len(below) if tag == 330 else 1
            data.extend(struct.pack(f"{order}2H2I", tag, 4, count, number))
        data.extend(bytes(4))
        return at

    for number, tags in enumerate(directories):
        more: Tags = {}
        if below and not number:
            places = struct.pack(f"{order}{len(below)}I", *map(written, below))
            more = {330: int.from_bytes(places, "little" if order == "<" else "big") if len(below) == 1 else places}
        at = written(tags | more)
        data[link : link + 4] = struct.pack(f"{order}I", at)
        link = len(data) - 4
    return bytes(data)


def strips(size: tuple[int, int], colour: tuple[int, int, int]) -> Tags:
    pixels = plain(colour, size).tobytes()
    return {256: size[0], 257: size[1], 258: 8, 259: 1, 262: 2, 273: pixels, 277: 3, 278: size[1], 279: len(pixels)}


def jpeg(size: tuple[int, int], colour: tuple[int, int, int]) -> Tags:
    data = encoded(plain(colour, size), "JPEG", subsampling=0)
    return {259: 6, 513: data, 514: len(data)}


SENSOR: Tags = {
    256: 4000,
    257: 3000,
    258: 14,
    259: 7,
    262: 32803,
    273: bytes(2000),
    277: 1,
    279: 2000,
}
SMALL: Tags = {254: 1}


async def test_a_thumbnail_is_not_the_picture() -> None:
    image = await make_image(raw_with_thumbnail(plain(RED, (400, 200))))
    assert (image.width, image.height) == (400, 200)
    unmarked = raw(strips((90, 60), GREEN), below=[strips((400, 200), RED)])
    assert rgb((await make_image(unmarked)).data) == RED
    big_endian = raw(strips((90, 60), GREEN) | SMALL, below=[strips((400, 200), RED)], order=">")
    assert rgb((await make_image(big_endian)).data) == RED


async def test_smaller_versions_below_a_picture_are_not_the_picture() -> None:
    pyramid = raw(strips((400, 200), RED), below=[strips((200, 100), GREEN) | SMALL])
    assert rgb((await make_image(pyramid)).data) == RED


async def test_a_thumbnail_before_or_behind_the_picture_is_no_page() -> None:
    mask, old_small, nothing = Tags({254: 4}), Tags({255: 2}), Tags()
    for directories in ([SMALL, nothing], [nothing, SMALL], [nothing, mask], [old_small, nothing]):
        pages = [strips((90, 60), GREEN) | tags if tags else strips((400, 200), RED) for tags in directories]
        document = await open_document(raw(*pages))
        assert [rgb(image.data) for image in document.images] == [RED]
        assert document.page_count == 1


async def test_of_a_raw_file_the_large_preview_is_looked_at_and_told() -> None:
    thumbnail, preview = strips((160, 120), GREEN) | SMALL, jpeg((1600, 1060), RED) | SMALL
    nikon = raw(thumbnail | {274: 6}, below=[preview, SENSOR])
    sony = raw(preview | {274: 6}, jpeg((160, 120), GREEN) | SMALL, below=[SENSOR])
    for data in (nikon, sony):
        document = await open_document(data)
        [image] = document.images
        assert (rgb(image.data), image.original_size, document.page_count) == ((254, 0, 0), (1060, 1600), 1)
        assert "Only the preview in this file was looked at" in document.note(Translator("en"))


async def test_canons_previews_are_no_pages() -> None:
    directories = raw(jpeg((1600, 1060), RED), jpeg((160, 120), GREEN), SENSOR)
    moved = bytearray(directories[:8] + b"CR\2\0" + bytes(4) + directories[8:])
    for place in _places(directories):
        at = place + 8 if place > 4 else place
        moved[at : at + 4] = struct.pack("<I", struct.unpack("<I", moved[at : at + 4])[0] + 8)
    document = await open_document(bytes(moved))
    assert [rgb(image.data) for image in document.images] == [(254, 0, 0)]
    assert document.page_count == 1


def _places(data: bytes) -> list[int]:
    """Where offsets stand: of directories, and of what tags 273 and 513 point to."""
    found, link = [], 4
    while offset := int.from_bytes(data[link : link + 4], "little"):
        found.append(link)
        count = int.from_bytes(data[offset : offset + 2], "little")
        for at in range(offset + 2, offset + 2 + 12 * count, 12):
            if int.from_bytes(data[at : at + 2], "little") in (273, 513):
                found.append(at + 8)
        link = offset + 2 + 12 * count
    return found


async def test_a_raw_file_with_only_a_small_preview_is_called_what_it_is() -> None:
    thumbnail = strips((160, 120), GREEN)
    for data in (raw(thumbnail | SMALL, below=[SENSOR]), raw(thumbnail, below=[SENSOR]), raw(SENSOR)):
        with pytest.raises(BadImage, match="raw file"):
            await make_image(data)


@pytest.mark.parametrize("order", ["<", ">"])
def test_directories_in_a_circle_end(order: str) -> None:
    whole = bytearray(raw(strips((9, 9), RED), strips((9, 9), GREEN), below=[strips((9, 9), RED)], order=order))
    whole[-4:] = whole[4:8]
    assert len(pages_of(bytes(whole))) == 2


def test_a_million_directories_are_not_followed() -> None:
    empty = struct.pack("<H2H2I", 1, 256, 4, 1, 1)
    links = b"".join(empty + struct.pack("<I", 8 + 18 * (number + 1)) for number in range(MOST_DIRECTORIES + 9))
    assert len(pages_of(b"II*\0\x08\0\0\0" + links)) == MOST_DIRECTORIES


async def test_a_big_tiff_is_a_tiff() -> None:
    pages = [plain(RED, (90, 60)), plain(GREEN, (90, 60))]
    file = io.BytesIO()
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:], big_tiff=True)
    assert file.getvalue()[2] == 43
    document = await open_document(file.getvalue())
    assert [rgb(image.data) for image in document.images] == [RED, GREEN]
