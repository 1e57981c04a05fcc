"""A document that is kept with its conversation, because a later question may be about other pages of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class KeptDocument:
    """The file, and the ids of the pictures that its pages became so far: of `pages`, of `page_count` pages in all.

    `digest` tells it from other files. Of one that a version before kept only the data and the ids are known. One
    without `data` only takes the place of the one before: nothing of it is kept.
    """

    data: bytes = field(repr=False)
    image_ids: tuple[str, ...]
    pages: tuple[int, ...] = ()
    page_count: int = 0
    digest: str = ""


@dataclass(frozen=True, slots=True)
class DocumentOutline:
    """A kept document without its data. `images` are the ids of the pictures that its pages became so far, by page."""

    digest: str
    page_count: int
    images: Mapping[int, str]
