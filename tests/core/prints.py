"""Make one printed note in the unusual files that people send. Each must be read like `plain`."""

import struct
import zlib
from functools import cache

import pillow_heif
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from core.pictures import fonts
from tests.core.files import chunk, encoded, png_header

pillow_heif.register_heif_opener()
LINES = ("INVOICE 5520", "Total 318.20")
SIZE = (384, 176)
BACK = [None, 0, 3, 1, 5, 2, 6, 4]  # Image.Transpose that stores a picture in orientation 1..8


@cache
def mask(lines: tuple[str, ...] = LINES, size: tuple[int, int] = SIZE) -> Image.Image:
    """Return a mask that is white where the print is."""
    drawn = Image.new("L", size)
    pen = ImageDraw.Draw(drawn)
    for number, line in enumerate(lines):
        pen.text((24, 24 + 64 * number), line, font=ImageFont.truetype(fonts.PATH, 36), fill="white")
    return drawn


def printed(ink: str = "black", paper: str = "white") -> Image.Image:
    return Image.composite(Image.new("RGB", SIZE, ink), Image.new("RGB", SIZE, paper), mask())


def stored(picture: Image.Image, orientation: int) -> Image.Image:
    """Return the picture as a camera stores it that was held that way."""
    back = BACK[orientation - 1]
    return picture if back is None else picture.transpose(Image.Transpose(back))


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[0x0112] = orientation
    return block


def turned(file_format: str, orientation: int, picture: Image.Image | None = None) -> bytes:
    """Return a turned picture.

    Pillow's HEIF encoder writes the orientation only in EXIF, its AVIF encoder only outside.
    """
    options: dict[str, object] = {"lossless": True} if file_format == "WEBP" else {}
    if file_format in ("JPEG", "AVIF", "HEIF"):
        options["quality"] = 95
    return encoded(stored(picture or printed(), orientation), file_format, exif=exif(orientation), **options)


def avif_turned_by_exif_only(orientation: int, picture: Image.Image | None = None) -> bytes:
    """Return an AVIF turned by EXIF only. The encoder removes an orientation, so another tag is renamed afterwards."""
    blocks = []
    for tag in (0x0103, 0x0112):
        block = Image.Exif()
        block[tag] = orientation
        blocks.append(block.tobytes())
    whole = encoded(stored(picture or printed(), orientation), "AVIF", exif=blocks[0], quality=95)
    assert whole.count(blocks[0][6:]) == 1
    return whole.replace(blocks[0][6:], blocks[1][6:])


def heic_turned_by_both(orientation: int, angle: int, picture: Image.Image) -> bytes:
    """Return a HEIC as Apple's cameras write it, with sides that are multiples of 64 pixels.

    `angle` counts quarter turns to the left.
    """
    whole = encoded(stored(picture, orientation), "HEIF", exif=exif(orientation), quality=95)
    at = whole.index(b"pixi")
    return whole[:at] + b"irot" + bytes([angle]) + whole[at + 5 :]


def on_nothing(ink: str) -> Image.Image:
    """Return print of that colour on a transparent background whose hidden colour is the same."""
    picture = Image.new("RGB", SIZE, ink)
    picture.putalpha(mask())
    return picture


def black_and_white_on_nothing(scale: int = 1) -> Image.Image:
    """Return print on a transparent background, the first line black and the second white."""
    picture = Image.new("RGB", SIZE, "black")
    picture.paste("white", (0, SIZE[1] // 2, *SIZE))
    picture.putalpha(mask())
    return picture.resize((SIZE[0] * scale, SIZE[1] * scale), Image.Resampling.NEAREST)


def palette_on_nothing(ink: str) -> bytes:
    indexed = Image.frombytes("P", SIZE, mask().point(lambda value: value >> 7).tobytes())
    indexed.putpalette(Image.new("RGB", (2, 1), ink).tobytes())
    return encoded(indexed, "PNG", transparency=0)


def hidden_by_its_alpha(mode: str = "RGBA") -> Image.Image:
    picture = printed().convert(mode.removesuffix("A"))
    picture.putalpha(0)
    return picture


def fax(x_dpi: int = 204, y_dpi: int = 98, file_format: str = "TIFF") -> bytes:
    lines = (
        printed().convert("L").resize((SIZE[0], round(SIZE[1] * y_dpi / x_dpi))).convert("1", dither=Image.Dither.NONE)
    )
    options = {"compression": "group4"} if file_format == "TIFF" else {}
    return encoded(lines, file_format, dpi=(x_dpi, y_dpi), **options)


def animation(file_format: str, *frames: Image.Image) -> bytes:
    options = {"lossless": True} if file_format == "WEBP" else {}
    return encoded(frames[0], file_format, save_all=True, append_images=frames[1:], duration=200, **options)


def png_with_texts(megabytes: int, keyword: str = "workflow") -> bytes:
    """Return a PNG as image programs write it."""
    info = PngInfo()
    info.add_text(keyword, "x" * (megabytes << 20), zip=True)
    info.add_itxt("prompt", "y" * (megabytes << 20), zip=True)
    return encoded(printed(), "PNG", pnginfo=info)


def raw_with_thumbnail(picture: Image.Image, orientation: int = 1, thumbnail: tuple[int, int] = (96, 44)) -> bytes:
    """Return a DNG whose first directory is a thumbnail; the picture is in a directory below, in strips of raw RGB."""
    small = picture.resize(thumbnail)
    pixels = stored(small, orientation).tobytes(), stored(picture, orientation).tobytes()
    sizes = stored(small, orientation).size, stored(picture, orientation).size
    starts = 8, 8 + len(pixels[0])
    below = starts[1] + len(pixels[1])

    def directory(which: int, reduced: int, extra: list[tuple[int, int, int]]) -> bytes:
        width, height = sizes[which]
        tags = [(254, 4, reduced), (256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 2)]
        tags += [(273, 4, starts[which]), (277, 3, 3), (278, 4, height), (279, 4, len(pixels[which])), *extra]
        entries = b"".join(
            struct.pack("<2HI", tag, kind, 1) + value.to_bytes(4, "little") for tag, kind, value in sorted(tags)
        )
        return struct.pack("<H", len(tags)) + entries + bytes(4)

    inner = directory(1, 0, [])
    first = below + len(inner)
    outer = directory(0, 1, [(274, 3, orientation), (330, 4, below), (50706, 1, 0x00000401)])
    return b"II*\0" + struct.pack("<I", first) + b"".join(pixels) + inner + outer


def page(lines: int = 10, mode: str = "RGB") -> Image.Image:
    """Return a page with numbered lines, each a tenth of its height."""
    drawn = Image.new("L", (320, 32 * lines), "white")
    pen = ImageDraw.Draw(drawn)
    for number in range(lines):
        pen.text(
            (16, 32 * number), f"Line {number} {number * 137}", font=ImageFont.truetype(fonts.PATH, 24), fill="black"
        )
    return drawn.convert(mode)


def interlaced_png(picture: Image.Image) -> bytes:
    """Return a PNG in the seven passes of Adam7, which Pillow cannot write."""
    shades, (width, height), rows = picture.convert("L"), picture.size, b""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    for left, top, across, down in passes:
        for y in range(top, height, down):
            rows += b"\0" + shades.crop((0, y, width, y + 1)).tobytes()[left::across]
    header = png_header(width, height, 8, 0)
    content = header[16:28] + b"\1"
    return header[:8] + chunk(b"IHDR", content) + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b"")
