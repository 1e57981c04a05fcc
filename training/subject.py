"""What a picture is about, and what can be asked about it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from training.pictures import Box, Picture, Span


@dataclass(frozen=True, slots=True, eq=False)
class Spot:
    """Where something is, in Qwen3-VL's own way: a box in thousandths of the picture's width and height.

    To whole hundredths: a token of 16 pixels does not show more, and what cannot be seen is only learned by heart.
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
class Named:
    """A word for something that is seen around a point of the picture: an answer that says it looks there."""

    picture: Picture
    x: float
    y: float
    text: str
    # Where it is compared with what was asked for: the character with which that can be told, and whether it is so.
    compared: tuple[int, bool] | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A figure or a verdict that stands nowhere: it follows from what the answer has quoted before."""

    text: str


Piece = str | Span | Spot | Named | Result


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its true answer. Quoted spans say where in the picture the answer stands."""

    kind: str  # what the evaluation counts it under
    question: str
    answer: tuple[Piece, ...]

    @property
    def text(self) -> str:
        return "".join(piece if isinstance(piece, str) else piece.text for piece in self.answer)


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A finished picture with everything that can be asked about it, in each language."""

    picture: Picture
    english: Sequence[Exchange]
    chinese: Sequence[Exchange]
    fields: dict[str, Span] = field(default_factory=dict)  # for questions about two pictures

    def exchanges(self, chinese: bool) -> Sequence[Exchange]:
        return self.chinese if chinese else self.english


def joined(lines: Sequence[Sequence[Piece]]) -> tuple[Piece, ...]:
    """Lines of pieces, one under the other."""
    pieces: list[Piece] = []
    for line in lines:
        pieces.extend(("\n", *line) if pieces else line)
    return tuple(pieces)


TABLE = ("Show it as a table.", "As a table.", "As a table, please.", "Make a table of it.", "Give me a table.")
TABLE_ZH = ("用表格列出", "列成表格", "做成表格", "请做成表格。", "以表格形式给出。")


def table(head: tuple[str, str], rows: Sequence[tuple[Piece, Piece]]) -> tuple[Piece, ...]:
    """A Markdown table of two columns."""
    lines = [["| ", one, " | ", other, " |"] for one, other in (head, *rows)]
    return joined([lines[0], ["|---|---|"], *lines[1:]])
