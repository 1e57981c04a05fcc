"""Tell what a file is by its bytes, since its name proves nothing. Other files are refused by what they are."""

import contextlib
import re
import zlib

from core.errors import BadImage
from core.pictures import refusals
from core.pictures.office import refuse_office

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".pdf")
PICTURE = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
STILL = {b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1", b"miaf"}
VIDEO = (b"\x1aE\xdf\xa3", b"FLV", b"OggS", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"0&\xb2u", b".RMF")
QUICKTIME = {b"moov", b"mdat", b"wide"}  # first boxes of older files
SOUND = (b"ID3", b"fLaC", b"#!AMR", b"MThd", b"#!SILK", b"\x02#!SILK", b"caff")
MPEG_SOUND = tuple(bytes((0xFF, second)) for second in b"\xfb\xfa\xf3\xf2\xe3\xe2\xfd\xfc\xf1\xf9")  # frames' starts
OGG_SOUND = (b"OpusHead", b"\x01vorbis", b"Speex", b"\x7fFLAC")
ARCHIVE = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf", b"BZh", b"\xfd7zXZ", b"(\xb5/\xfd")
RAW = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb")  # Fuji, Olympus, Panasonic, Sigma
TEXT = frozenset(range(0x20, 0x100)) | set(b"\t\n\r\f\x1b")
BRANDS_WITHIN_BYTES = 1024  # of a file type box
PDF_HEADER = re.compile(rb"%PDF-\d\.\d")
PDF_HEADER_WITHIN_BYTES = 1024  # implementation note 13 in appendix H of the PDF reference, version 1.7


def is_pdf(data: bytes) -> bool:
    """Return whether this is a PDF.

    Its header may follow a byte-order mark, a mail's header or printer commands. A text about PDF is no PDF.
    """
    if data.startswith(b"%PDF-"):
        return True
    header = PDF_HEADER.search(data, 0, PDF_HEADER_WITHIN_BYTES + 8)
    return header is not None and b" obj" in data and not claims_picture(data)


def claims_picture(data: bytes) -> bool:
    """Return whether it begins like a picture, so that a file that cannot be opened counts as a damaged picture."""
    return data.startswith(PICTURE) or _riff(data, b"WEBP") or bool(_brands(data) & STILL)


def refuse_others(data: bytes) -> None:
    """Raise `BadImage` for what certainly is no picture. Any other file may still be a bad picture."""
    if claims_picture(data) and not data.startswith(b"BM"):  # two letters prove little
        return
    start = data[:1024]
    _refuse_pages(start)
    _refuse_films_and_sounds(start)
    _refuse_drawings(data)
    refuse_office(data)
    if start.startswith(ARCHIVE):
        raise refusals.archive()
    if not any(start):
        raise BadImage("This file has no content: perhaps it was not saved completely. Please send the picture again.")
    if _is_text(start):
        raise refusals.text()


def is_web_page(data: bytes) -> bool:
    """Return whether the bytes begin as HTML: a platform may send its login page instead of a file."""
    return data[:512].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _refuse_pages(start: bytes) -> None:
    words = start.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n").replace(b"\0", b"").lower()
    if (b"<svg" in words and words.startswith((b"<svg", b"<?xml", b"<!"))) or b"<svg" in _unpacked(start):
        raise refusals.svg()
    if words.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script")) or (
        b"<html" in words and words.startswith((b"<?xml", b"<!"))
    ):
        raise refusals.web_page()


def _refuse_films_and_sounds(start: bytes) -> None:
    brands = _brands(start)
    ogg = start.startswith(b"OggS") and any(codec in start for codec in OGG_SOUND) and b"theora" not in start
    if (
        start.startswith(SOUND + MPEG_SOUND)
        or ogg
        or _riff(start, b"WAVE")
        or (start.startswith(b"FORM") and start[8:11] == b"AIF")
        or start[4:11] in (b"ftypM4A", b"ftypM4B")
    ):
        raise refusals.sound()
    if start[4:12] == b"ftypcrx ":
        raise refusals.raw()
    stream = len(start) > 376 and {start[0], start[188], start[376]} == {0x47}  # packets of an MPEG transport stream
    if start.startswith(VIDEO) or _riff(start, b"AVI ") or brands or start[4:8] in QUICKTIME or stream:
        raise refusals.video()


def _refuse_drawings(data: bytes) -> None:
    if data.startswith(RAW):
        raise refusals.raw()
    if data.startswith(b"8BPS"):
        raise refusals.photoshop()
    if data.startswith((b"\0\0\0\x0cJXL ", b"\xff\x0a")):
        raise refusals.jpeg_xl()
    if data.startswith((b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")):
        raise refusals.jpeg_2000()
    if data.startswith((b"%!PS", b"\xc5\xd0\xd3\xc6")):
        raise refusals.postscript()


def _brands(data: bytes) -> set[bytes]:
    """Return the brands that a file of boxes (ISO/IEC 14496-12) claims; none for other files."""
    if data[4:8] != b"ftyp":
        return set()
    box = data[: min(int.from_bytes(data[:4], "big"), BRANDS_WITHIN_BYTES)]
    return {data[8:12], *(box[at : at + 4] for at in range(16, len(box) - 3, 4))}


def _riff(start: bytes, kind: bytes) -> bool:
    return start.startswith(b"RIFF") and start[8:12] == kind


def _unpacked(start: bytes) -> bytes:
    """Return the beginning of a gzip file, unpacked: svgz drawings are such files."""
    if not start.startswith(b"\x1f\x8b"):
        return b""
    try:
        return zlib.decompressobj(31).decompress(start, len(start)).lower()
    except zlib.error:
        return b""


def _is_text(start: bytes) -> bool:
    """Return whether it is text in UTF-8, in UTF-16 with a byte-order mark, in GB 18030 or in a Western alphabet."""
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return all(sign.isprintable() or sign.isspace() for sign in _decoded(start, "utf-16") or "\0")
    letters = sum(0x20 <= byte < 0x7F for byte in start)
    known = _decoded(start, "utf-8") or _decoded(start, "gb18030") or letters > 0.8 * len(start)
    return TEXT.issuperset(start) and bool(known)


def _decoded(start: bytes, encoding: str) -> str:
    """Return the text without a character that is cut at the end, or "" if it is no such text."""
    for cut in range(4):
        with contextlib.suppress(UnicodeDecodeError):
            return start[: len(start) - cut].decode(encoding)
    return ""
