"""Check an answer by pattern: what it must say, the rows of a table, or where it points.

A wording is free; what the picture says is not.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from core.answers.boxes import find_boxes
from core.answers.tables import find_tables

LEAST_OVERLAP = 0.5  # of a box with the drawn one: their intersection over their union

Corners = tuple[float, float, float, float]  # left, top, right and bottom, in thousandths of the picture


class Expectation(Protocol):
    def holds(self, answer: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Says:
    """Every one of the patterns occurs, and `never` does not. Case, emphasis and full width do not count."""

    patterns: tuple[str, ...]
    never: str = ""

    def holds(self, answer: str) -> bool:
        text = plain(answer)
        if self.never and re.search(self.never, text):
            return False
        return all(re.search(pattern, text) for pattern in self.patterns)


@dataclass(frozen=True, slots=True)
class Reads:
    """Every line occurs, in this order. Spaces and what stands around the lines do not count."""

    lines: tuple[str, ...]

    def holds(self, answer: str) -> bool:
        text, at = _squeezed(answer), 0
        for line in map(_squeezed, self.lines):
            found = text.find(line, at)
            if found < 0:
                return False
            at = found + len(line)
        return True


@dataclass(frozen=True, slots=True)
class Tabulates:
    """A table has these rows, in this order. Its head may be anything."""

    rows: tuple[tuple[str, ...], ...]

    def holds(self, answer: str) -> bool:
        wanted = [[plain(cell) for cell in row] for row in self.rows]
        tables = [[[plain(cell) for cell in row] for row in table] for table in find_tables(answer)]
        return any(table[-len(wanted) :] == wanted for table in tables)


@dataclass(frozen=True, slots=True)
class PointsAt:
    """The answer is one box, and it lies where the thing was drawn."""

    corners: Corners

    def holds(self, answer: str) -> bool:
        boxes = find_boxes(answer).boxes
        return len(boxes) == 1 and overlap(boxes[0].corners, self.corners) >= LEAST_OVERLAP


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the intersection of two boxes over their union."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    if across <= 0 or down <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return across * down / (areas - across * down)


def plain(text: str) -> str:
    """Return the text in lower case and half width, without emphasis, and with single spaces."""
    return " ".join(re.sub(r"[*_`]", "", unicodedata.normalize("NFKC", text)).lower().split())


def _squeezed(text: str) -> str:
    return re.sub(r"\s", "", plain(text))
