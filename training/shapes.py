"""Coloured shapes on plain paper: how many, which colour, where."""

import math
import random
from dataclasses import dataclass

from training import fonts, words
from training.pictures import Box, Colour, Glyph, Picture, canvas
from training.products import wide
from training.subject import Exchange, Named, Piece, Result, Spot, Subject

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

    @property
    def english(self) -> str:
        return f"{self.colour} {self.kind}"

    @property
    def chinese(self) -> str:
        return f"{COLOURS[self.colour][0]}{KINDS[self.kind]}"

    @property
    def middle(self) -> tuple[float, float]:
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2

    def is_a(self, asked: str) -> bool:
        """Whether it is of this colour or kind; where neither is asked for, all are meant."""
        return not asked or asked in (self.colour, self.kind)

    def says(self, picture: Picture, words: str, compared: tuple[int, bool] | None = None) -> Named:
        return Named(picture, *self.middle, words, compared)

    def told(self, picture: Picture, asked: str) -> Named:
        """Its name where shapes of a colour or a kind are counted."""
        at = len(self.colour if asked in COLOURS else self.english) - 1
        return self.says(picture, self.english, (at, self.is_a(asked)) if asked else None)

    def told_zh(self, picture: Picture, asked: str) -> Named:
        at = 0 if asked in COLOURS else len(self.chinese) - 1  # all colours end alike
        return self.says(picture, self.chinese, (at, self.is_a(asked)) if asked else None)


def draw(rng: random.Random, width: int, height: int, shelf: fonts.Shelf, lexicon: words.Lexicon) -> Subject:
    pale = rng.randint(235, 255)
    picture = canvas(rng, width, height, (pale, rng.randint(235, 255), rng.randint(235, 255)))
    columns, rows = max(1, width // 64), max(1, height // 64)
    room = [(c, r) for r in range(rows) for c in range(columns)]
    cells = sorted(rng.sample(range(len(room)), min(rng.randint(1, 5), len(room))))  # in reading order
    across, down = width / columns, height / rows
    shapes = []
    for column, row in (room[cell] for cell in cells):
        side = rng.uniform(34, min(across, down) - 6)
        left = column * across + rng.uniform(2, across - side - 2)
        top = row * down + rng.uniform(2, down - side - 2)
        shape = Shape(rng.choice(list(KINDS)), rng.choice(list(COLOURS)), (left, top, left + side, top + side))
        shapes.append(shape)
        paint(picture, shape, rng)
        label(picture, shape, len(shapes))
    picture.finish(rng)
    return Subject(picture, english(rng, picture, shapes), chinese(rng, picture, shapes))


def label(picture: Picture, shape: Shape, number: int) -> None:
    """Tells the tower what it sees, as it is told letters: one for the colour, one for the kind, and a number.

    The number is the place in the order of reading, by which answers count. Two red circles are otherwise all the same
    to a language model: an answer that had named one of them could not know which.
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


def alike(shapes: list[Shape], kind: str) -> list[Shape]:
    return [s for s in shapes if s.kind == kind]


def counted(picture: Picture, shapes: list[Shape], asked: str, noun: str) -> tuple[Piece, ...]:
    """All are named, with their numbers, and then those are counted that were asked for."""
    pieces: list[Piece] = []
    for number, shape in enumerate(shapes, 1):
        pieces += [f", {number}. " if pieces else f"{number}. ", shape.told(picture, asked)]
    count = sum(s.is_a(asked) for s in shapes)
    return (*pieces, ": ", Result(str(count)), f" {noun}." if count == 1 else f" {noun}s.")


def counted_zh(picture: Picture, shapes: list[Shape], asked: str, noun: str) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    for number, shape in enumerate(shapes, 1):
        pieces += [f"、{number}." if pieces else f"{number}.", shape.told_zh(picture, asked)]
    count = sum(s.is_a(asked) for s in shapes)
    return (*pieces, "，共", Result(NUMBERS_ZH[count]), f"个{noun}。")


def english(rng: random.Random, picture: Picture, shapes: list[Shape]) -> list[Exchange]:
    count = rng.choice(
        ("How many shapes are there?", "How many shapes are in the picture?", "Count the shapes.", "How many shapes?")
    )
    exchanges = [Exchange("shape count", count, counted(picture, shapes, "", "shape"))]
    colour = rng.choice(shapes).colour
    answer = counted(picture, shapes, colour, f"{colour} shape")
    exchanges.append(Exchange("shape count", f"How many {colour} shapes are there?", answer))
    kind = rng.choice(shapes).kind
    answer = counted(picture, shapes, kind, kind)
    exchanges.append(Exchange("shape count", f"How many {kind}s are there?", answer))
    for shape in shapes:
        if len(alike(shapes, shape.kind)) == 1:
            question = rng.choice(
                (
                    f"What colour is the {shape.kind}?",
                    f"What color is the {shape.kind}?",
                    f"Which colour is the {shape.kind}?",
                )
            )
            answer = ("The ", shape.kind, " is ", shape.says(picture, shape.colour), ".")
            exchanges.append(Exchange("shape colour", question, answer))
        if sum(s.english == shape.english for s in shapes) == 1:
            box = Spot(picture, shape.box, shape.english)
            exchanges.append(Exchange("where", f"Where is the {shape.english}?", (box,)))
    return exchanges


def chinese(rng: random.Random, picture: Picture, shapes: list[Shape]) -> list[Exchange]:
    count = rng.choice(("有几个形状?", "图中有几个形状?", "图中有多少个形状?", "一共有几个图形?", "几个形状?"))
    exchanges = [Exchange("shape count", wide(rng, count), counted_zh(picture, shapes, "", "形状"))]
    colour = rng.choice(shapes).colour
    name = COLOURS[colour][0]
    answer = counted_zh(picture, shapes, colour, f"{name}的形状")
    exchanges.append(Exchange("shape count", wide(rng, f"有几个{name}的形状?"), answer))
    kind = rng.choice(shapes).kind
    answer = counted_zh(picture, shapes, kind, KINDS[kind])
    exchanges.append(Exchange("shape count", wide(rng, f"有几个{KINDS[kind]}?"), answer))
    for shape in shapes:
        if len(alike(shapes, shape.kind)) == 1:
            question = rng.choice((f"{KINDS[shape.kind]}是什么颜色?", f"{KINDS[shape.kind]}是什么颜色的?"))
            answer = (KINDS[shape.kind], "是", shape.says(picture, COLOURS[shape.colour][0]), "的。")
            exchanges.append(Exchange("shape colour", wide(rng, question), answer))
        if sum(s.english == shape.english for s in shapes) == 1:
            box = Spot(picture, shape.box, shape.chinese)
            exchanges.append(Exchange("where", wide(rng, f"{shape.chinese}在哪里?"), (box,)))
    return exchanges
