"""Makes pictures of any file: a picture is one, a PDF or a TIFF with several pages becomes a picture per page.

The decoding itself is `core.pages`, in a process that may be killed.
"""

from dataclasses import dataclass

from core import workers
from core.conversation import Image
from core.images import ORIGINAL_LIMIT, Config, check_size, make_image
from core.kinds import is_pdf
from core.page_ranges import page_ranges
from core.voice import Voice

SECONDS = 40.0  # for all pages of one document


@dataclass(frozen=True, slots=True)
class Document:
    """`pages` are the numbers of the pages that `images` show, of `of` pages in all. A picture is one page of one."""

    images: tuple[Image, ...]
    pages: tuple[int, ...] = (1,)
    of: int = 1

    def note(self, voice: Voice) -> str:
        """What was left out and how to see it; empty when nothing was."""
        if len(self.pages) == self.of:
            return ""
        shown = _words(self.pages)
        following = self.pages[-1] + 1 if self.pages[-1] < self.of else 1
        example = f"{following}-{min(self.of, following + 1)}"
        return voice.say(
            "Pages looked at: {shown} of {of}. For others, send it again and say “pages {example}”, for example.",
            shown=shown,
            of=self.of,
            example=example,
        )


async def open_document(data: bytes, question: str = "", config: Config = Config()) -> Document:
    """The pages that the question speaks of, or the first ones; at most `config.page_limit`.

    Raises `BadImage` and `TooLarge` as `make_image` does, and for a page that does not exist.
    """
    check_size(len(data), config)
    options = {
        "ranges": page_ranges(question),
        "limit": config.page_limit,
        "image_tokens": config.image_tokens,
    }
    if is_pdf(data):
        return _document(await workers.run("core.pages:pdf_pages", data, options, SECONDS))
    if _is_tiff_with_pages(data):
        options["pixel_limit"] = int(config.pixel_limit_mp * 1e6)
        return _document(await workers.run("core.pages:tiff_pages", data, options, SECONDS))
    return Document((await make_image(data, config),))


def _document(parts: list[workers.Part]) -> Document:
    images, pages, of = [], [], 1
    for index, (what, blob) in enumerate(parts):
        if "page" not in what:
            continue
        following = parts[index + 1] if index + 1 < len(parts) else ({}, b"")
        keep = following[0].get("original") and len(following[1]) <= ORIGINAL_LIMIT
        sent_width, sent_height = what["original_size"]
        original = following[1] if keep else None
        images.append(Image(what["id"], blob, what["width"], what["height"], (sent_width, sent_height), original))
        pages.append(what["page"])
        of = what["of"]
    return Document(tuple(images), tuple(pages), of)


def _is_tiff_with_pages(data: bytes) -> bool:
    """Whether the first directory of a TIFF points to a second one (TIFF 6.0, section 2). BigTIFF is one picture."""
    order = {b"II*\0": "little", b"MM\0*": "big"}.get(data[:4])
    if order is None:
        return False

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], "little" if order == "little" else "big")

    directory = number(4, 4)
    following = directory + 2 + 12 * number(directory, 2)
    return following + 4 <= len(data) and number(following, 4) != 0


def _words(pages: tuple[int, ...]) -> str:
    if len(pages) > 1 and pages == tuple(range(pages[0], pages[-1] + 1)):
        return f"{pages[0]}-{pages[-1]}"
    return ", ".join(map(str, pages))
