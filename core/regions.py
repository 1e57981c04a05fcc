"""Define a part of a picture, and read it from numbers and from words such as "top right of picture 2"."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import BadQuestion

WHOLE = 1000.0  # thousandths
LEAST_PIXELS = 32  # that a part is wide and high: a smaller one is taken with what is around it
HALF = 550.0  # a half named in words goes over the middle, so that nothing is cut there

_ENGLISH = {"top": "t", "upper": "t", "bottom": "b", "lower": "b", "left": "l", "right": "r", "middle": "m"}
_ENGLISH |= {"center": "m", "centre": "m"}
_CHINESE = {"上": "t", "下": "b", "左": "l", "右": "r", "中": "m"}
_WORD = "|".join(_ENGLISH)
_ENDS = "半?部分|半边|间|央|角|边|面|部|方|侧|半"
_PLACE = re.compile(
    rf"(?:the\s+)?({_WORD})(?:[\s-]+({_WORD}))?(?:[\s-]+(?:half|part|corner|side|edge))?(?!\w)(?:\s+of\s+it\b)?"
    rf"|([上下左右中])(?:([上下左右中])(?:{_ENDS})?|(?:{_ENDS})|(?!\w))",
    re.IGNORECASE,
)
_ACROSS = {"l": (0.0, HALF), "r": (WHOLE - HALF, WHOLE)}
_DOWN = {"t": (0.0, HALF), "b": (WHOLE - HALF, WHOLE)}
_BETWEEN = ((WHOLE - HALF) / 2, (WHOLE + HALF) / 2)


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle in thousandths of a picture. Raises `BadQuestion` if it is empty or beyond the picture."""

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        inside = self.left >= 0 and self.right <= WHOLE and self.top >= 0 and self.bottom <= WHOLE
        if not (inside and self.left < self.right and self.top < self.bottom):
            raise _no_region()

    @property
    def corners(self) -> tuple[float, float, float, float]:
        return self.left, self.top, self.right, self.bottom

    def within(self, outer: "Region") -> "Region":
        """Return this region of a part in thousandths of the whole, where `outer` is the part's own region."""
        width, height = (outer.right - outer.left) / WHOLE, (outer.bottom - outer.top) / WHOLE
        return Region(
            outer.left + self.left * width,
            outer.top + self.top * height,
            min(WHOLE, outer.left + self.right * width),
            min(WHOLE, outer.top + self.bottom * height),
        )

    def pixels(self, width: int, height: int, least: int) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom in pixels, at least `least` apart where the picture has so many."""
        left, right = _span(self.left, self.right, width, least)
        top, bottom = _span(self.top, self.bottom, height, least)
        return left, top, right, bottom


@dataclass(frozen=True, slots=True)
class Part:
    """Where a picture was cut out: the number of the other picture of its conversation, and the part of that."""

    parent: int
    region: Region


def numbered(numbers: Sequence[float]) -> Region:
    """Return the region of four numbers: left, top, right and bottom. Raises `BadQuestion`."""
    if len(numbers) != 4:
        raise _no_region()
    return Region(*numbers)


def around(corners: Sequence[float]) -> Region:
    """Return the region of a box with a margin, so that what it marks is not cut. A point gets a tenth around it."""
    left, top, right, bottom = corners
    across, down = (max(20.0, 100.0 - end + begin, (end - begin) / 4) for begin, end in ((left, right), (top, bottom)))
    return Region(max(0, left - across), max(0, top - down), min(WHOLE, right + across), min(WHOLE, bottom + down))


def named_region(words: str) -> tuple[Region, str] | None:
    """Return the part that words begin with, and the words behind it; None if they begin with no part.

    "top right: what is the date?" is the upper right quarter, and a question.
    """
    found = _PLACE.match(words.strip())
    if found is None:
        return None
    marks = [_ENGLISH[word.lower()] for word in found.group(1, 2) if word]
    marks += [_CHINESE[sign] for sign in found.group(3, 4) if sign]
    across = next((_ACROSS[mark] for mark in marks if mark in _ACROSS), None)
    down = next((_DOWN[mark] for mark in marks if mark in _DOWN), None)
    other = _BETWEEN if "m" in marks else (0.0, WHOLE)
    (left, right), (top, bottom) = across or other, down or other
    return Region(left, top, right, bottom), words.strip()[found.end() :].strip(" ,:;.，：；。")


def _span(first: float, last: float, pixels: int, least: int) -> tuple[int, int]:
    begin, end = int(first * pixels / WHOLE), -int(-last * pixels // WHOLE)
    missing = min(least, pixels) - (end - begin)
    if missing > 0:
        begin = min(max(0, begin - missing // 2), pixels - min(least, pixels))
        end = begin + min(least, pixels)
    return begin, end


def _no_region() -> BadQuestion:
    return BadQuestion(
        "A region is four numbers from 0 to 1000: left, top, right and bottom, in thousandths of the picture."
    )
