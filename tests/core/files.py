"""Make picture files for tests, byte by byte if no encoder would write them so."""

import io
import struct
import zlib
from collections.abc import Callable
from functools import cache
from random import Random

from PIL import Image, ImageDraw

RED, GREEN, BLUE, WHITE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (128, 128, 128)
Colour = tuple[int, int, int]


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def plain(colour: Colour, size: tuple[int, int] = (60, 40)) -> Image.Image:
    return Image.new("RGB", size, colour)


def busy(size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Return noise, which no format makes tiny."""
    return Image.frombytes("RGB", size, Random(3).randbytes(size[0] * size[1] * 3))


def index(colour: Colour) -> int:
    index = plain(colour).convert("P").getpixel((0, 0))
    assert isinstance(index, int)
    return index


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))


def png_header(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack("!2I5B", width, height, depth, colour, 0, 0, 0))


@cache
def png(width: int, height: int, depth: int, colour: int, pixel: bytes, rows: int | None = None) -> bytes:
    """Return a PNG of one colour without ever having it all in memory. `rows` may differ from the header."""
    row = b"\0" + pixel * (width if depth >= 8 else -(-width * depth // 8))
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(row) for _ in range(height if rows is None else rows)) + packer.flush()
    return png_header(width, height, depth, colour) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def with_chunk(kind: bytes, data: bytes) -> bytes:
    whole = encoded(plain(RED), "PNG")
    return whole[:33] + chunk(kind, data) + whole[33:]


def gif_header(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<2H3B", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"


def bmp_header(width: int, height: int) -> bytes:
    info = struct.pack("<I2i2H6I", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<3I", 1000, 0, 54) + info + bytes(1000)


def jpeg_of_size(width: int, height: int) -> bytes:
    """Return a good file whose frame header lies about its size."""
    whole = encoded(plain(RED), "JPEG")
    frame = whole.index(b"\xff\xc0")
    return whole[: frame + 5] + struct.pack("!2H", height, width) + whole[frame + 9 :]


def webp_header(width: int, height: int) -> bytes:
    extended = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunks = b"WEBPVP8X" + struct.pack("<I", 10) + extended
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def tiff(order: str, width: int, height: int, offset: int, size: int, bits: int, pixels: bytes) -> bytes:
    tags = (
        (256, width),
        (257, height),
        (258, bits),
        (259, 1),
        (262, 1),
        (273, offset),
        (277, 1),
        (278, height),
        (279, size),
    )
    entries = b"".join(struct.pack(f"{order}2H2I", tag, 4, 1, value) for tag, value in tags)
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(f"{order}HIH", 42, 8, len(tags)) + entries + struct.pack(f"{order}I", 0)
    return head.ljust(200, b"\0") + pixels


def tiff_of_size(width: int, height: int, offset: int = 200) -> bytes:
    return tiff("<", width, height, offset, 1000, 8, bytes(1000))


def big_endian_tiff(width: int, height: int, value: int) -> bytes:
    return tiff(">", width, height, 200, 2 * width * height, 16, struct.pack("!H", value) * (width * height))


def icc_profile(gamma: float) -> bytes:
    """Return a matrix profile (ICC.1:2001) with the primaries of sRGB and another tone curve."""

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack("!i", round(value * 65536)) for value in values)

    xyz: Callable[[float, float, float], bytes] = lambda *values: b"XYZ \0\0\0\0" + fixed(*values)  # noqa: E731
    curve = b"curv\0\0\0\0" + struct.pack("!IH", 1, round(gamma * 256)) + b"\0\0"
    tags = {
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.4361, 0.2225, 0.0139),
        b"gXYZ": xyz(0.3851, 0.7169, 0.0971),
        b"bXYZ": xyz(0.1431, 0.0606, 0.7141),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        table += name + struct.pack("!2I", start + len(body), len(value))
        body += value
    head = bytes(8) + bytes.fromhex("02100000") + b"mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28)
    head += fixed(0.9642, 1.0, 0.8249) + bytes(48)
    return struct.pack("!I", start + len(body)) + head[4:] + struct.pack("!I", len(tags)) + table + body


def endless_jpeg(scans: int = 3000) -> bytes:
    """Return a progressive JPEG that repeats a scan over and over: minutes of work in a small file."""
    picture = Image.new("L", (4000, 4000), 128)
    ImageDraw.Draw(picture).line((0, 0, 4000, 4000), fill=255)
    whole = encoded(picture, "JPEG", progressive=True, quality=30)
    starts = [at for at in range(len(whole)) if whole[at : at + 2] == b"\xff\xda"]
    return whole[: starts[2]] + whole[starts[1] : starts[2]] * scans + b"\xff\xd9"
