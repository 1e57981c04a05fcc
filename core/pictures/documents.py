"""Make pictures of any file: a picture is one, and a PDF or a TIFF with several pages becomes a picture per page.

Decoding happens in `core.pictures.pages`, in a process that may be killed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core.i18n import Translator
from core.image import Image
from core.note import Note
from core.pictures import workers
from core.pictures.file_types import is_pdf
from core.pictures.images import KEPT_ORIGINAL_BYTES, ImagesConfig, check_size, decode_file, identify, read_notes
from core.pictures.jpeg import takes_long
from core.pictures.page_ranges import page_ranges
from core.pictures.spool import contents, size, spool
from core.pictures.tiff import has_pages
from core.units import MEGABYTE

DOCUMENT_SECONDS = 40.0  # for all pages
KEPT_DOCUMENT_BYTES = 32 * MEGABYTE  # of a larger one other pages can only be seen when it is sent again


@dataclass(frozen=True, slots=True)
class Document:
    """The pictures of a file. `pages` are the numbers of `images`, of `page_count` pages in all; a picture is one page.

    `data` is the file itself, where it has several pages and is small enough to be kept for them.
    """

    images: tuple[Image, ...]
    pages: tuple[int, ...] = (1,)
    page_count: int = 1
    notes: tuple[Note, ...] = ()
    data: bytes | None = field(default=None, repr=False)

    def note(self, translator: Translator, kept: bool = False) -> str:
        """Return a sentence about what was left out and how to see it, or "". `kept` if its `data` is kept."""
        left_out = pages_left_out(self.pages, self.page_count, translator, kept and self.data is not None)
        return " ".join(filter(None, [left_out, *(translator.explain(note) for note in self.notes)]))


def pages_left_out(pages: Sequence[int], page_count: int, translator: Translator, kept: bool) -> str:
    """Return a sentence about which pages of a document are looked at and how to see others, or "" if all are."""
    if len(pages) == page_count:
        return ""
    shown = translator.listed(f"{first}-{last}" if first < last else first for first, last in _runs(pages))
    first, last = _others(pages, page_count)
    if kept:
        return translator.say(
            "Pages looked at: {shown} of {of}. For others, ask about “page {example}”, for example.",
            shown=shown,
            of=page_count,
            example=first,
        )
    if first == last:
        return translator.say(
            "Pages looked at: {shown} of {of}. For others, send it again and say “page {example}”, for example.",
            shown=shown,
            of=page_count,
            example=first,
        )
    return translator.say(
        "Pages looked at: {shown} of {of}. For others, send it again and say “pages {example}”, for example.",
        shown=shown,
        of=page_count,
        example=f"{first}-{last}",
    )


async def open_document(
    data: bytes, question: str = "", config: ImagesConfig = ImagesConfig(), chosen: Sequence[int] = ()
) -> Document:
    """Return the `chosen` pages, those that the question names, or the first ones; at most `config.page_limit`.

    Raises `BadImage` and `TooLarge` like `make_image`, and for a page that does not exist.
    """
    check_size(len(data), config)
    options: dict[str, Any] = {
        "ranges": [(page, page) for page in chosen] or page_ranges(question),
        "chosen": bool(chosen),
        "limit": config.page_limit,
        "image_tokens": config.image_tokens,
    }
    pdf, pages, slow = is_pdf(data), has_pages(data), takes_long(data)
    with spool(data) as file:
        del data  # the file on disk is enough while it waits
        if not (pdf or pages):
            image, notes = await decode_file(file, slow, config)
            return Document((image,), notes=notes)  # a picture that came with a document has no pages to choose
        work = "core.pictures.pages:pdf_pages"
        if not pdf:
            work, options["pixel_limit"] = "core.pictures.pages:tiff_pages", int(config.pixel_limit_mp * 1e6)
        document = _document(await workers.run(work, file, options, DOCUMENT_SECONDS))
        if document.page_count == 1 or size(file) > KEPT_DOCUMENT_BYTES:
            return document
        return replace(document, data=contents(file))


async def page_thumbnail(data: bytes, page: int, pixels: int, config: ImagesConfig = ImagesConfig()) -> bytes:
    """Return a page as a PNG with at most so many pixels on each side. Raises `BadImage`."""
    options: dict[str, Any] = {"page": page, "pixels": pixels}
    work = "core.pictures.pages:pdf_thumbnail"
    if not is_pdf(data):
        work, options["pixel_limit"] = "core.pictures.pages:tiff_thumbnail", int(config.pixel_limit_mp * 1e6)
    [(_facts, png)] = await workers.run(work, data, options)
    return png


def document_for(documents: Sequence[Document], question: str) -> bytes | None:
    """Return the last of these files that has several pages, if a later question names some."""
    kept = next((document.data for document in reversed(documents) if document.data is not None), None)
    return kept if page_ranges(question) else None


def _document(parts: list[workers.Packet]) -> Document:
    images, pages, page_count = [], [], 1
    notes: list[Note] = []
    for index, (what, blob) in enumerate(parts):
        if "page" not in what:
            continue
        following = parts[index + 1] if index + 1 < len(parts) else ({}, b"")
        keep = following[0].get("original") and len(following[1]) <= KEPT_ORIGINAL_BYTES
        sent_width, sent_height = what["original_size"]
        original = following[1] if keep else None
        identity = identify(what["id"], original)
        images.append(Image(identity, blob, what["width"], what["height"], (sent_width, sent_height), original))
        pages.append(what["page"])
        page_count = what["of"]
        notes += read_notes(what)
    return Document(tuple(images), tuple(pages), page_count, tuple(notes))


def _others(pages: Sequence[int], page_count: int) -> tuple[int, int]:
    """Return the first and last of one or two further pages to suggest as an example."""
    later = (page for page in range(pages[-1] + 1, page_count + 1) if page not in pages)
    first = next(later, 0) or next(page for page in range(1, page_count + 1) if page not in pages)
    return first, first + 1 if first < page_count and first + 1 not in pages else first


def _runs(pages: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first and last page of each run of consecutive pages."""
    runs: list[tuple[int, int]] = []
    for page in pages:
        first = runs.pop()[0] if runs and runs[-1][1] == page - 1 else page
        runs.append((first, page))
    return runs
