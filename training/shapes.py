"""Coloured shapes on plain paper: how many, which colour, where."""

import math
import random
from dataclasses import dataclass

from training import fonts, words
from training.pictures import Box, Colour, Glyph, Picture, canvas
from training.samples import QA, BoundingBox, Computed, ObjectName, Piece, Sample, ask, say

COLOURS: dict[str, tuple[str, Colour]] = {
    "red": ("红色", (220, 40, 40)),
    "green": ("绿色", (40, 160, 60)),
    "blue": ("蓝色", (40, 80, 220)),
    "yellow": ("黄色", (245, 215, 40)),
    "orange": ("橙色", (245, 140, 30)),
    "purple": ("紫色", (140, 60, 180)),
    "black": ("黑色", (25, 25, 25)),
}
KINDS = {"circle": "圆形", "square": "正方形", "triangle": "三角形", "star": "五角星"}
SIGNS = {"circle": "圆", "square": "方", "triangle": "角", "star": "星"}
NUMBERS_ZH = "零一两三四五六"


@dataclass(frozen=True, slots=True)
class Shape:
    kind: str
    colour: str
    box: Box

    def name(self, chinese: bool) -> str:
        return f"{COLOURS[self.colour][0]}{KINDS[self.kind]}" if chinese else f"{self.colour} {self.kind}"

    @property
    def middle(self) -> tuple[float, float]:
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2

    def says(self, picture: Picture, text: str) -> ObjectName:
        return ObjectName(picture, *self.middle, text)


def draw(rng: random.Random, width: int, height: int, faces: fonts.FontSet, lexicon: words.Lexicon) -> Sample:
    picture = canvas(rng, width, height, (rng.randint(235, 255), rng.randint(235, 255), rng.randint(235, 255)))
    columns, rows = max(1, width // 64), max(1, height // 64)
    room = [(c, r) for r in range(rows) for c in range(columns)]
    cells = sorted(rng.sample(range(len(room)), min(rng.randint(1, 5), len(room))))  # in reading order
    across, down = width / columns, height / rows
    shapes: list[Shape] = []
    for column, row in (room[cell] for cell in cells):
        side = rng.uniform(34, min(across, down) - 6)
        left = column * across + rng.uniform(2, across - side - 2)
        top = row * down + rng.uniform(2, down - side - 2)
        shape = Shape(rng.choice(list(KINDS)), rng.choice(list(COLOURS)), (left, top, left + side, top + side))
        shapes.append(shape)
        paint(picture, shape, rng)
        label(picture, shape, len(shapes))
    picture.finish(rng)
    english, chinese_ = (questions(rng, zh, picture, shapes) for zh in (False, True))
    return Sample(picture, english, chinese_)


def label(picture: Picture, shape: Shape, number: int) -> None:
    """Supervise the vision tower as with letters: one for the colour, one for the kind, and a number.

    The number is the place in reading order, by which answers count. Without it a language model cannot tell two red
    circles apart, nor know which of them it has named.
    """
    x, y = shape.middle
    for cell, character in enumerate((COLOURS[shape.colour][0][0], str(number), SIGNS[shape.kind])):
        picture.glyphs.append(Glyph(character, x, y, cell))


def paint(picture: Picture, shape: Shape, rng: random.Random) -> None:
    r, g, b = (min(255, max(0, c + rng.randint(-20, 20))) for c in COLOURS[shape.colour][1])
    left, top, right, bottom = shape.box
    if shape.kind == "circle":
        picture.ellipse(shape.box, (r, g, b))
    elif shape.kind == "square":
        picture.rectangle(shape.box, (r, g, b))
    elif shape.kind == "triangle":
        picture.polygon(((left, bottom), (right, bottom), ((left + right) / 2, top)), (r, g, b))
    else:
        x, y, radius = (left + right) / 2, (top + bottom) / 2, (right - left) / 2
        spokes = [radius if i % 2 == 0 else radius * 0.42 for i in range(10)]
        turns = [math.pi * i / 5 for i in range(10)]
        corners = [(x + s * math.sin(t), y - s * math.cos(t)) for s, t in zip(spokes, turns, strict=True)]
        picture.polygon(corners, (r, g, b))


def counted(picture: Picture, shapes: list[Shape], chinese: bool, count: int, noun: str) -> tuple[Piece, ...]:
    """Name all shapes, with their numbers, and then say how many are meant."""
    pieces: list[Piece] = []
    for number, shape in enumerate(shapes, 1):
        comma = "" if number == 1 else "、" if chinese else ", "
        pieces += [f"{comma}{number}." if chinese else f"{comma}{number}. ", shape.says(picture, shape.name(chinese))]
    if chinese:
        return (*pieces, "，共", Computed(NUMBERS_ZH[count]), f"个{noun}。")
    return (*pieces, ": ", Computed(str(count)), f" {noun}." if count == 1 else f" {noun}s.")


def questions(rng: random.Random, chinese: bool, picture: Picture, shapes: list[Shape]) -> list[QA]:
    colour, kind = rng.choice(shapes).colour, rng.choice(shapes).kind
    of_colour = f"{COLOURS[colour][0]}的形状" if chinese else f"{colour} shape"
    of_kind = KINDS[kind] if chinese else kind
    found = [
        QA(
            "shape count",
            ask(rng, "shape count", chinese),
            counted(picture, shapes, chinese, len(shapes), "形状" if chinese else "shape"),
        )
    ]
    counts = ((of_colour, sum(s.colour == colour for s in shapes)), (of_kind, sum(s.kind == kind for s in shapes)))
    for name, count in counts:
        question = ask(rng, "shape count of", chinese, name=name)
        found.append(QA("shape count", question, counted(picture, shapes, chinese, count, name)))
    for shape in shapes:
        if sum(s.kind == shape.kind for s in shapes) == 1:
            name = KINDS[shape.kind] if chinese else shape.kind
            colour_name = shape.says(picture, COLOURS[shape.colour][0] if chinese else shape.colour)
            question = ask(rng, "shape colour", chinese, name=name)
            found.append(QA("shape colour", question, say("shape colour", chinese, name, colour_name)))
        if sum((s.kind, s.colour) == (shape.kind, shape.colour) for s in shapes) == 1:
            name = shape.name(chinese)
            box = BoundingBox(picture, shape.box, name)
            found.append(QA("where", ask(rng, "where", chinese, name=name), (box,)))
    return found
