"""Turns a document's pages into pictures; runs inside a worker (`core.workers`) and may crash there."""

import io
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image

from core import pdfium
from core.colours import Colours
from core.decoder import check_pixels, finish, open_picture
from core.errors import BadImage

if TYPE_CHECKING:
    from core.page_ranges import Range

DPI = 200  # of a page that somebody wants to read the small print of
SUBFILE_TYPE, REDUCED = 254, 1  # a TIFF tag, and its bit of a smaller version
INCH = 72  # points; PDF's unit is the point
PAGE_PIXELS = 16_000_000  # a poster is rendered more coarsely

Part = tuple[dict[str, Any], bytes]


def pdf_pages(data: bytes, ranges: "Sequence[Range]", limit: int, image_tokens: int) -> list[Part]:
    """Each page's picture, and after it the page at `DPI` where that shows much more."""
    pypdfium2 = pdfium.load()
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise BadImage(
                "This PDF is protected by a password. Please send it without one, or a screenshot."
            ) from error
        raise _damaged() from error
    try:
        if not len(document):
            raise _damaged()
        document.init_forms()
        parts = []
        for page in choose(ranges, len(document), limit):
            parts += _made(_rendered(document[page - 1]), page, len(document), image_tokens)
        return parts
    except pypdfium2.PdfiumError as error:
        raise _damaged() from error
    finally:
        document.close()


def tiff_pages(data: bytes, ranges: "Sequence[Range]", limit: int, image_tokens: int, pixel_limit: int) -> list[Part]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = open_picture(data, pixel_limit)
            frames = _full_frames(image)
            parts = []
            for page in choose(ranges, len(frames), limit):
                image.seek(frames[page - 1])
                check_pixels(*image.size, pixel_limit)
                parts += _made(image.copy(), page, len(frames), image_tokens)
            return parts
        except (MemoryError, BadImage):
            raise
        except Exception as error:
            raise _damaged() from error


def _full_frames(image: Image.Image) -> list[int]:
    """Without the thumbnails that some programs keep beside a page (TIFF 6.0, NewSubfileType)."""
    full = []
    for frame in range(getattr(image, "n_frames", 1)):
        image.seek(frame)
        if not image.getexif().get(SUBFILE_TYPE, 0) & REDUCED:
            full.append(frame)
    return full or [0]


def choose(ranges: "Sequence[Range]", of: int, limit: int) -> list[int]:
    """The first `limit` of the pages asked for, or of all; raises `BadImage` when none of them exists."""
    pages: dict[int, None] = {}
    for first, last in ranges or [(1, of)]:
        first, last = (end + of + 1 if end < 0 else end for end in (first, last))
        first = max(first, 1)
        pages |= dict.fromkeys(range(first, min(last, of, first + limit) + 1))
    if not pages:
        raise BadImage("This document has {of} pages; please ask about one of them.", of=of)
    return list(pages)[:limit]


def _made(image: Image.Image, page: int, of: int, image_tokens: int) -> list[Part]:
    made, png = finish(image, image_tokens)
    parts = [({"page": page, "of": of, **made}, png)]
    if image.width * image.height > 2 * made["width"] * made["height"]:
        file = io.BytesIO()
        Colours(image).rgb(image).save(file, "PNG", compress_level=3, icc_profile=None)
        parts.append(({"original": True}, file.getvalue()))
    return parts


def _rendered(page: Any) -> Image.Image:
    width, height = page.get_size()  # points
    if not width > 0 or not height > 0:
        raise _damaged()
    scale = min(DPI / INCH, (PAGE_PIXELS / (width * height)) ** 0.5)
    check_pixels(max(1, round(width * scale)), max(1, round(height * scale)), 2 * PAGE_PIXELS)
    bitmap = page.render(scale=scale, may_draw_forms=True)
    try:
        image: Image.Image = bitmap.to_pil().convert("RGB")
        return image
    finally:
        bitmap.close()
        page.close()


def _damaged() -> BadImage:
    return BadImage("This document is damaged. Please send it again, or send screenshots of its pages.")
