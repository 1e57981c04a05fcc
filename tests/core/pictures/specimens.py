"""Make unusual, broken and hostile pictures for every platform. Each says what must become of it."""

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import pillow_heif
from PIL import Image, ImageCms

from tests.core.files import (
    BLUE,
    GREEN,
    GREY,
    RED,
    WHITE,
    Colour,
    big_endian_tiff,
    bmp_header,
    busy,
    chunk,
    encoded,
    gif_header,
    icc_profile,
    index,
    jpeg_of_size,
    plain,
    png,
    png_header,
    tiff_of_size,
    webp_header,
    with_chunk,
)


@dataclass(frozen=True, slots=True)
class Specimen:
    """A file, and either the picture's size and middle colour, or words of its refusal."""

    name: str
    data: bytes
    size: tuple[int, int] = (0, 0)
    colour: Colour | None = None
    corner: Colour | None = None  # top left, where it differs
    refusal: str = ""


def specimens() -> list[Specimen]:
    pillow_heif.register_heif_opener()
    return [*odd(), *broken(), *hostile()]


def odd() -> Iterator[Specimen]:
    """Return unusual files with a good picture in them."""
    yield from _of_every_format()
    yield from _of_every_mode()
    yield from _animations()
    yield from _turned()
    yield from _profiles()
    yield from _deep()
    jpeg = encoded(plain(RED), "JPEG")
    yield Specimen("junk after the picture.jpg", jpeg + b"\0" * 5000, (60, 40), RED)
    yield Specimen("broken EXIF.jpg", encoded(plain(RED), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"), (60, 40), RED)
    yield Specimen("large comment.jpg", encoded(plain(RED), "JPEG", comment=b"x" * 65_000), (60, 40), RED)
    yield Specimen("one pixel.png", encoded(plain(RED, (1, 1)), "PNG"), (1, 1), RED)
    yield Specimen("one pixel.gif", encoded(plain(RED, (1, 1)), "GIF"), (1, 1), RED)
    yield Specimen("long strip.png", encoded(plain(RED, (4000, 20)), "PNG"), (4000, 20), RED)
    yield Specimen("photo of 12 megapixels.jpg", encoded(plain(RED, (4000, 3000)), "JPEG"), (1152, 864), (254, 0, 0))
    yield Specimen("glass of 48 megapixels.png", png(8000, 6000, 8, 6, b"\xff\0\0\x80"), (1152, 864), (255, 127, 127))


def _of_every_format() -> Iterator[Specimen]:
    for file_format in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"):
        yield Specimen(f"plain.{file_format.lower()}", encoded(plain(RED), file_format), (60, 40), RED)
    yield Specimen("progressive.jpg", encoded(plain(RED), "JPEG", progressive=True), (60, 40), RED)
    yield Specimen("lossless.webp", encoded(plain(RED), "WEBP", lossless=True), (60, 40), RED)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield Specimen(f"{compression}.tiff", encoded(plain(RED), "TIFF", compression=compression), (60, 40), RED)
    fax = encoded(plain(WHITE).convert("1"), "TIFF", compression="group4")
    yield Specimen("fax.tiff", fax, (60, 40), WHITE)


def _of_every_mode() -> Iterator[Specimen]:
    red = plain(RED)
    yield Specimen("grey.jpg", encoded(plain(GREY).convert("L"), "JPEG"), (60, 40), GREY)
    yield Specimen("CMYK.jpg", encoded(red.convert("CMYK"), "JPEG"), (60, 40), RED)
    yield Specimen("CMYK.tiff", encoded(red.convert("CMYK"), "TIFF"), (60, 40), RED)
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(plain(GREY), to_lab)
    assert lab is not None
    yield Specimen("LAB.tiff", encoded(lab, "TIFF"), (60, 40), GREY)
    yield Specimen("palette.png", encoded(red.convert("P"), "PNG"), (60, 40), RED)
    yield Specimen("one bit.png", encoded(plain(WHITE).convert("1"), "PNG"), (60, 40), WHITE)
    yield Specimen("one bit.bmp", encoded(plain(WHITE).convert("1"), "BMP"), (60, 40), WHITE)
    yield Specimen("half transparent.png", encoded(Image.new("RGBA", (60, 40), (0, 0, 0, 128)), "PNG"), (60, 40), GREY)
    yield Specimen(
        "half transparent.webp", encoded(Image.new("RGBA", (60, 40), (0, 0, 0, 128)), "WEBP"), (60, 40), GREY
    )
    yield Specimen(
        "half transparent.avif", encoded(Image.new("RGBA", (60, 40), (0, 0, 0, 128)), "AVIF"), (60, 40), GREY
    )
    yield Specimen("transparent grey.png", encoded(Image.new("LA", (60, 40), (128, 0)), "PNG"), (60, 40), GREY)
    yield Specimen(
        "transparent palette.png", encoded(plain(RED).convert("P"), "PNG", transparency=index(RED)), (60, 40), RED
    )
    yield Specimen("transparent.gif", encoded(plain(RED).convert("P"), "GIF", transparency=index(RED)), (60, 40), RED)
    yield Specimen("transparent colour.png", encoded(plain(RED), "PNG", transparency=RED), (60, 40), RED)


def _animations() -> Iterator[Specimen]:
    """Return animations, whose first frame counts."""
    rest = [plain(GREEN), plain(BLUE)]
    for file_format in ("GIF", "PNG", "WEBP", "AVIF", "TIFF", "MPO"):
        data = encoded(plain(RED), file_format, save_all=True, append_images=rest)
        yield Specimen(f"three frames.{file_format.lower()}", data, (60, 40), RED)


def _turned() -> Iterator[Specimen]:
    """Return pictures in every orientation. Upright, each is 60x40 and red with a green top left corner."""
    upright = plain(RED)
    upright.paste(GREEN, (0, 0, 24, 16))
    back = [None, 0, 3, 1, 5, 2, 6, 4]  # Image.Transpose that stores it in orientation 1..8
    for orientation, transpose in enumerate(back, 1):
        stored = upright if transpose is None else upright.transpose(Image.Transpose(transpose))
        exif = Image.Exif()
        exif[0x0112] = orientation
        for file_format in ("JPEG", "PNG", "TIFF") if orientation in (6, 3) else ("JPEG",):
            data = encoded(stored, file_format, exif=exif, **({"subsampling": 0} if file_format == "JPEG" else {}))
            yield Specimen(f"orientation {orientation}.{file_format.lower()}", data, (60, 40), RED, GREEN)


def _profiles() -> Iterator[Specimen]:
    linear = icc_profile(gamma=1.0)
    yield Specimen("linear light.jpg", encoded(plain(GREY), "JPEG", icc_profile=linear), (60, 40), (188, 188, 188))
    yield Specimen("linear light.png", encoded(plain(GREY), "PNG", icc_profile=linear), (60, 40), (188, 188, 188))
    yield Specimen("broken profile.png", encoded(plain(RED), "PNG", icc_profile=b"profile?" * 40), (60, 40), RED)
    grey = encoded(plain(GREY).convert("L"), "PNG", icc_profile=linear)
    yield Specimen("profile of another colour space.png", grey, (60, 40), GREY)


def _deep() -> Iterator[Specimen]:
    """Return pictures of more than 8 bits, which must be scaled, not clipped."""
    yield Specimen("16 bit grey.png", encoded(Image.new("I;16", (60, 40), 0x8080), "PNG"), (60, 40), GREY)
    yield Specimen("16 bit colour.png", png(60, 40, 16, 2, b"\xff\xff\0\0\0\0"), (60, 40), RED)
    yield Specimen("16 bit grey.tiff", encoded(Image.new("I;16", (60, 40), 0x8080), "TIFF"), (60, 40), GREY)
    yield Specimen("12 of 16 bits.tiff", encoded(Image.new("I;16", (60, 40), 2056), "TIFF"), (60, 40), GREY)
    yield Specimen("32 bit.tiff", encoded(Image.new("I", (60, 40), 0x8080), "TIFF"), (60, 40), GREY)
    yield Specimen("floating point.tiff", encoded(Image.new("F", (60, 40), 0.5), "TIFF"), (60, 40), GREY)
    yield Specimen("big-endian 16 bit grey.tiff", big_endian_tiff(60, 40, 0x8080), (60, 40), GREY)


def broken() -> Iterator[Specimen]:
    """Return files that are no picture, or not a whole one."""
    yield Specimen("empty.png", b"", refusal="empty")
    yield Specimen("one byte.jpg", b"\xff", refusal="cannot open")
    yield Specimen("zeros.png", bytes(100_000), refusal="no content")
    yield Specimen("noise.jpg", b"\x93" + Random(7).randbytes(50_000), refusal="cannot open")
    for name, data, refusal in _others():
        yield Specimen(name, data, refusal=refusal)
    for file_format in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"):
        whole = encoded(busy(), file_format)
        refusal = "damaged or incomplete" if file_format in ("AVIF", "HEIF") else "incomplete"
        yield Specimen(f"half.{file_format.lower()}", whole[: len(whole) // 2], refusal=refusal)
        yield Specimen(f"head only.{file_format.lower()}", whole[:24], refusal="picture")
    whole = encoded(busy(), "PNG")
    yield Specimen("wrong checksum.png", whole[:100] + b"\x55" + whole[101:], refusal="damaged")


def _others() -> Iterator[tuple[str, bytes, str]]:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    yield "page.png", b"\n<!DOCTYPE html><html><body>Please log in</body></html>", "web page"
    yield "page without doctype.jpg", b"<HTML><HEAD><title>302</title>", "web page"
    yield "drawing.svg", svg, "SVG"
    yield "drawing with declaration.svg", b'<?xml version="1.0"?>\n<!-- made by hand -->\n' + svg, "SVG"
    yield "note.txt", b"The total is 42 euros.", "text"
    yield "chinese note.jpg", "总计四十二元。".encode() * 200, "text"
    yield "data.json", b'{"image": "data:image/png;base64,AAAA"}', "text"
    yield "document.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "document is damaged"
    yield "film.mp4", b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2" + bytes(100), "video"
    yield "film.mov", b"\0\0\0\x14ftypqt  \0\0\0\0qt  " + bytes(100), "video"
    yield "film.webm", b"\x1aE\xdf\xa3\x9fB\x86\x81\x01" + bytes(100), "video"
    yield "film.avi", b"RIFF\x24\0\0\0AVI LIST" + bytes(100), "video"
    yield "song.mp3", b"ID3\x04\0\0\0\0\0\0" + bytes(100), "sound"
    yield "pictures.zip", b"PK\x03\x04\x14\0\0\0" + bytes(100), "archive"
    yield "picture.png.gz", b"\x1f\x8b\x08\0" + bytes(100), "archive"
    yield "layers.psd", b"8BPS\0\x01" + bytes(100), "Photoshop"
    yield "icon.ico", encoded(plain(RED, (16, 16)), "ICO"), "cannot open"
    yield "texture.blp", b"BLP2" + struct.pack("<I4B2I", 1, 1, 8, 8, 0, 30_000, 30_000) + bytes(2000), "cannot open"
    yield "script.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (w) file\n", "PostScript"
    yield from other_kinds()


def other_kinds() -> Iterator[tuple[str, bytes, str]]:
    """Return files that people mistake for pictures, and what each is called."""
    yield "letter.docx", zipped("[Content_Types].xml", "word/document.xml"), "Word"
    yield "letter without its end.docx", zipped("[Content_Types].xml", "word/document.xml")[:-40], "Word"
    yield "sheet.xlsx", zipped("[Content_Types].xml", "xl/workbook.xml"), "Excel"
    yield "slides.pptx", zipped("[Content_Types].xml", "ppt/presentation.xml"), "PowerPoint"
    for kind in ("text", "spreadsheet", "presentation"):
        mime = f"application/vnd.oasis.opendocument.{kind}"
        yield f"{kind}.odt", zipped("mimetype", "content.xml", content=mime), "OpenDocument"
    yield "book.epub", zipped("mimetype", "OEBPS/1.xhtml", content="application/epub+zip"), "e-book"
    yield "letter.pages", zipped("Index/Document.iwa"), "Pages"
    yield "holiday.zip", zipped("holiday/1.jpg", "words/2.jpg"), "archive"
    yield "letters.zip", zipped("letter.docx", content=zipped("word/document.xml").decode("latin-1")), "archive"
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    for stream, name in (("WordDocument", "Word"), ("Workbook", "Excel"), ("PowerPoint Document", "PowerPoint")):
        yield f"old {name}", ole + stream.encode("utf-16-le") + bytes(60), name
    yield "mail.msg", ole + "__substg1.0_0037001F".encode("utf-16-le"), "e-mail"
    yield "other.ole", ole, "Office"
    yield "letter.rtf", b"{\\rtf1\\ansi Dear Sir}", "RTF"
    yield "Windows note.txt", "总计四十二元。".encode("gb18030") * 200, "text"
    yield "UTF-16 note.txt", "Total: 42\r\n".encode("utf-16"), "text"
    yield "Latin note.txt", "Die Größe beträgt 42 Meter.".encode("latin-1"), "text"
    yield "BMW.txt", b"BMW builds cars.", "text"
    yield "about.txt", b"A document in PDF begins with %PDF-1.7.", "text"
    yield "table.csv", b"name;total\r\nTea;42\r\n", "text"
    yield "page.xhtml", b'<?xml version="1.0"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml">', "web page"
    yield "drawing.svgz", gzip.compress(b'<svg xmlns="http://www.w3.org/2000/svg"/>'), "SVG"
    yield "voice.ogg", b"OggS\0\x02" + bytes(22) + b"OpusHead" + bytes(40), "sound"
    yield "film.ogv", b"OggS\0\x02" + bytes(22) + b"\x80theora" + bytes(40), "video"
    yield "song without tags.mp3", b"\xff\xfb\x90\x64" + bytes(400), "sound"
    yield "song.m4a", b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42" + bytes(100), "sound"
    yield "song.wav", b"RIFF\x24\0\0\0WAVEfmt " + bytes(100), "sound"
    yield "song.aiff", b"FORM\0\0\0\x24AIFFCOMM" + bytes(100), "sound"
    yield "WeChat voice.silk", b"\x02#!SILK_V3" + bytes(100), "sound"
    yield "old film.mov", b"\0\0\0\x08wide\0\0\0\x18mdat" + bytes(100), "video"
    yield "camcorder.mts", (b"\x47" + bytes(187)) * 8, "video"
    yield "raw.cr3", b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom" + bytes(100), "raw"
    yield "raw.raf", b"FUJIFILMCCD-RAW 0201" + bytes(100), "raw"
    yield "picture.jxl", b"\xff\x0a" + bytes(100), "JPEG XL"
    yield "picture.jp2", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100), "JPEG 2000"


def zipped(*names: str, content: str = "<x/>") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, content.encode("latin-1"))
    return file.getvalue()


def hostile() -> Iterator[Specimen]:
    """Return small files that would cost much if they were believed."""
    for width, height in ((50_000, 50_000), (2**31 - 1, 2**31 - 1)):
        data = png_header(width, height) + chunk(b"IDAT", zlib.compress(bytes(1000)))
        yield Specimen(f"header of {width}x{height}.png", data, refusal="megapixels")
    yield Specimen(
        "header of 65,535x65,535.gif",
        gif_header(65_535, 65_535) + b",\0\0\0\0\xff\xff\xff\xff\0\x08",
        refusal="megapixels",
    )
    yield Specimen("header of 40,000x40,000.bmp", bmp_header(40_000, 40_000), refusal="megapixels")
    yield Specimen("header of 65,500x65,500.jpg", jpeg_of_size(65_500, 65_500), refusal="megapixels")
    yield Specimen("header of 16,384x16,384.webp", webp_header(16_384, 16_384), refusal="picture")
    yield Specimen("header of 100,000x100,000.tiff", tiff_of_size(100_000, 100_000), refusal="megapixels")
    yield Specimen("bomb.png", png(20_000, 20_000, 1, 0, b"\0"), refusal="megapixels")
    yield Specimen("pixels for a larger picture.png", png(10, 10, 8, 2, b"\xff\0\0", rows=500_000), (10, 10), RED)
    for kind, head in ((b"zTXt", b"k\0\0"), (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0"), (b"iCCP", b"p\0\0")):
        bomb = with_chunk(kind, head + zlib.compress(bytes(200_000_000), 9))
        yield Specimen(f"{kind.decode()} bomb.png", bomb, (60, 40), RED)
    yield Specimen("strip of 60,000x1.png", encoded(Image.new("1", (60_000, 1)), "PNG"), refusal="strip")
    yield Specimen("strip of 1x60,000.png", encoded(Image.new("1", (1, 60_000)), "PNG"), refusal="strip")
    yield Specimen("no pixels.gif", gif_header(0, 0), refusal="picture")
    yield Specimen("directory in a circle.tiff", b"II*\0\x08\0\0\0\0\0\x08\0\0\0", refusal="damaged")
    yield Specimen("offsets beyond the end.tiff", tiff_of_size(60, 40, offset=2**31), refusal="picture")
    yield Specimen("million tags.tiff", b"II*\0\x08\0\0\0\xff\xff" + bytes(200), refusal="picture")
    yield Specimen("bad codes.gif", gif_header(60, 40) + b",\0\0\0\0<\0(\0\0\x0c" + b"\xff" * 300, refusal="picture")
    yield Specimen("web page in a comment.jpg", encoded(plain(RED), "JPEG", comment=b"<html><script>"), (60, 40), RED)


def mutated(count: int, seed: int = 11) -> Iterator[bytes]:
    """Return good files of every kind with some bytes changed, removed, doubled or moved."""
    pillow_heif.register_heif_opener()
    random = Random(seed)
    formats = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
    good = [encoded(picture, kind) for kind in formats for picture in (busy((64, 48)), plain(RED))]
    good += [specimen.data for specimen in (*_deep(), *_animations(), *_profiles()) if len(specimen.data) < 100_000]
    for number in range(count):
        yield mangled(good[number % len(good)], random)


def mangled(whole: bytes, random: Random) -> bytes:
    data = bytearray(whole)
    for _ in range(random.randint(1, 8)):
        at = random.randrange(min(len(data), 600)) if random.random() < 0.7 else random.randrange(len(data))
        match random.randrange(4):
            case 0:
                data[at] ^= 1 << random.randrange(8)
            case 1:
                data[at : at + 4] = random.choice(
                    (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x80\0\0\0")
                )
            case 2:
                del data[at : at + random.randint(1, 40)]
            case 3:
                data[at:at] = data[max(0, at - 40) : at]
        data = data or bytearray(b"\0")
    return bytes(data)
