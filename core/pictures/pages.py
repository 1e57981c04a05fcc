"""Turn a document's pages into pictures. Runs inside a worker (`core.pictures.worker`), where it may crash."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from PIL import Image

from core.errors import BadImage
from core.pictures import pdfium
from core.pictures.decoder import Decoded, PixelBudget, decode, encode, finish, open_picture, quiet
from core.pictures.packet import Packet
from core.pictures.sizes import check_pixels, check_shape
from core.pictures.tiff import pages_of

if TYPE_CHECKING:
    from core.pictures.page_ranges import Range

PAGE_DPI = 200  # enough for small print
POINTS_PER_INCH = 72  # PDF's unit is the point
PAGE_PIXELS = 16_000_000  # a poster is rendered more coarsely


def pdf_pages(
    data: bytes, ranges: "Sequence[Range]", limit: int, image_tokens: int, chosen: bool = False
) -> list[Packet]:
    """Return each page's picture, followed by the page at `PAGE_DPI` if that shows much more."""
    with _opened(data) as document:
        packets = []
        for page in choose(ranges, len(document), limit, chosen):
            packets += _made(finish(_rendered(document[page - 1], PAGE_PIXELS), image_tokens), page, len(document))
        return packets


def pdf_thumbnail(data: bytes, page: int, pixels: int) -> list[Packet]:
    """Return a page with at most so many pixels on each side."""
    with _opened(data) as document:
        [page] = choose([(page, page)], len(document), 1)
        return [_small(_rendered(document[page - 1], 4 * pixels**2), pixels)]


def tiff_thumbnail(data: bytes, page: int, pixels: int, pixel_limit: int) -> list[Packet]:
    with quiet():
        pages = pages_of(data)
        [page] = choose([(page, page)], len(pages), 1)
        return [_small(decode(pages[page - 1].picture(open_picture), PixelBudget(pixel_limit, 64)).small, pixels)]


@contextmanager
def _opened(data: bytes) -> Iterator[Any]:
    """Open a PDF that has pages. Raises `BadImage`, also for what goes wrong in the block."""
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
        yield document
    except pypdfium2.PdfiumError as error:
        raise _damaged() from error
    finally:
        document.close()


def tiff_pages(
    data: bytes, ranges: "Sequence[Range]", limit: int, image_tokens: int, pixel_limit: int, chosen: bool = False
) -> list[Packet]:
    with quiet():
        pages = pages_of(data)
        if not pages:
            raise _damaged()
        packets = []
        for page in choose(ranges, len(pages), limit, chosen):
            decoded = decode(pages[page - 1].picture(open_picture), PixelBudget(pixel_limit, image_tokens))
            packets += _made(decoded, page, len(pages))
        return packets


def choose(ranges: "Sequence[Range]", page_count: int, limit: int, chosen: bool = False) -> list[int]:
    """Return the first `limit` of the pages asked for, or of all pages.

    Raises `BadImage` when none of them exists, and for any that does not if they were `chosen` one by one.
    """
    pages: dict[int, None] = {}
    for first, last in ranges or [(1, page_count)]:
        first, last = (end + page_count + 1 if end < 0 else end for end in (first, last))
        first = max(first, 1)
        pages |= dict.fromkeys(range(first, min(last, page_count, first + limit) + 1))
    if not pages or (chosen and any(page > page_count for page, _ in ranges)):
        raise BadImage("This document has {of} pages; please ask about one of them.", of=page_count)
    return list(pages)[:limit]


def _made(decoded: Decoded, page: int, page_count: int) -> list[Packet]:
    """Return the page, followed by the larger picture it was shrunk from if that shows much more."""
    made, png = encode(decoded)
    packets = [({"page": page, "of": page_count, **made}, png)]
    whole = decoded.whole
    if whole.width * whole.height > 2 * made["width"] * made["height"]:
        file = io.BytesIO()
        upright = decoded.colours.rgb(whole)
        upright = upright if decoded.turn is None else upright.transpose(decoded.turn)
        upright.info.clear()
        width, height = decoded.original_size
        # A resolution, so that non-square pixels are stretched again when this file is opened.
        square = 100 * height / upright.height, 100 * width / upright.width
        upright.save(file, "PNG", compress_level=3, dpi=square)
        packets.append(({"original": True}, file.getvalue()))
    return packets


def _small(image: Image.Image, pixels: int) -> Packet:
    file = io.BytesIO()
    image.thumbnail((pixels, pixels))
    image.info.clear()
    image.save(file, "PNG")
    return {}, file.getvalue()


def _rendered(page: Any, pixels: int) -> Image.Image:
    """Draw a page at `PAGE_DPI`, or with about so many pixels if that is less."""
    width, height = page.get_size()  # points
    if not width > 0 or not height > 0:
        raise _damaged()
    scale = min(PAGE_DPI / POINTS_PER_INCH, (pixels / (width * height)) ** 0.5)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    check_pixels(*size, 2 * PAGE_PIXELS)
    check_shape(*size)
    bitmap = page.render(scale=scale, may_draw_forms=True)
    try:
        image: Image.Image = bitmap.to_pil().convert("RGB")
        return image
    finally:
        bitmap.close()
        page.close()


def _damaged() -> BadImage:
    return BadImage("This document is damaged. Please send it again, or send screenshots of its pages.")
