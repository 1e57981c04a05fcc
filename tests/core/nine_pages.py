"""A document of nine pages, each of which is known by what it looks like."""

from core.pictures.documents import open_document
from tests.core.papers import pdf

PAPER = pdf([f"page {number}" for number in range(1, 10)])
_numbers: dict[str, int] = {}  # by an image's id; they are drawn once, since nine pages take seconds


async def page_numbers() -> dict[str, int]:
    """Return the number of the page that each image shows, by its id."""
    if not _numbers:
        for number in range(1, 10):
            [image] = (await open_document(PAPER, f"page {number}")).images
            _numbers[image.id] = number
    return _numbers
