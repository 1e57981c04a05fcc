"""A training sample: a picture with questions about it and their true answers.

An answer is made of pieces. A piece that was read off the picture says where, so that attention can be supervised.
"""

import random
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.pictures import Box, Picture, Span

PHRASES: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_name("phrases.toml").read_text("utf-8"))


@dataclass(frozen=True, slots=True, eq=False)
class BoundingBox:
    """Where something is, in Qwen3-VL's grounding format: thousandths of the picture's width and height.

    Rounded to hundredths: a token of 16 pixels does not show more, and what cannot be seen is only learned by heart.
    """

    picture: Picture
    box: Box
    label: str

    @property
    def corners(self) -> tuple[int, int, int, int]:
        left, top, right, bottom = self.box
        across, down = 1000 / self.picture.width, 1000 / self.picture.height
        one, two, three, four = (
            min(1000, max(0, 10 * round(v / 10))) for v in (left * across, top * down, right * across, bottom * down)
        )
        return one, two, three, four

    @property
    def text(self) -> str:
        return f'```json\n[{{"bbox_2d": {list(self.corners)}, "label": "{self.label}"}}]\n```'


@dataclass(frozen=True, slots=True, eq=False)
class ObjectName:
    """A word for something that is drawn around a point of the picture."""

    picture: Picture
    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Computed:
    """A number or a verdict that the picture does not show: it follows from what the answer has quoted before."""

    text: str


Piece = str | Span | BoundingBox | ObjectName | Computed


@dataclass(frozen=True, slots=True)
class QA:
    """A question and its true answer."""

    kind: str  # what the evaluation counts it under
    question: str
    answer: tuple[Piece, ...]

    @property
    def text(self) -> str:
        return "".join(piece if isinstance(piece, str) else piece.text for piece in self.answer)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A finished picture with everything that can be asked about it, in each language."""

    picture: Picture
    english: Sequence[QA]
    chinese: Sequence[QA]
    fields: dict[str, Span] = field(default_factory=dict)  # for questions about two pictures

    def questions(self, chinese: bool) -> Sequence[QA]:
        return self.chinese if chinese else self.english


def ask(rng: random.Random, phrase: str, chinese: bool, **names: object) -> str:
    """Return one of the wordings of a question in phrases.toml."""
    question = rng.choice(PHRASES[phrase]["ask_zh" if chinese else "ask"]).format(**names)
    if chinese:
        return wide(rng, question)
    return str(question[0].upper() + question[1:])


def wide(rng: random.Random, question: str) -> str:
    """Return the question with the Chinese question mark, which half of the people type."""
    return question.replace("?", "\uff1f") if rng.random() < 0.5 else question


def say(phrase: str, chinese: bool, *pieces: Piece) -> tuple[Piece, ...]:
    """Return the answer in phrases.toml with pieces in the places of its braces."""
    texts = PHRASES[phrase]["say_zh" if chinese else "say"].split("{}")
    answer: list[Piece] = [texts[0]]
    for piece, text in zip(pieces, texts[1:], strict=True):
        answer += [piece, text]
    return tuple(piece for piece in answer if piece)


def joined(lines: Sequence[Sequence[Piece]]) -> tuple[Piece, ...]:
    """Put lines of pieces one under the other."""
    pieces: list[Piece] = []
    for line in lines:
        pieces.extend(("\n", *line) if pieces else line)
    return tuple(pieces)


def table(head: tuple[str, str], rows: Sequence[tuple[Piece, Piece]]) -> tuple[Piece, ...]:
    """Return a Markdown table of two columns."""
    lines = [["| ", one, " | ", other, " |"] for one, other in (head, *rows)]
    return joined([lines[0], ["|---|---|"], *lines[1:]])
