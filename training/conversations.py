"""Conversations: several questions about one picture, about a second one in a later turn, or about two side by side."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from training import charts, fonts, invoices, notices, photographs, products, shapes, words
from training.pictures import Picture
from training.samples import PHRASES, QA, Computed, Sample, ask, say

Draw = Callable[[random.Random, int, int, fonts.FontSet, words.Lexicon], Sample]
DRAW: dict[str, Draw] = {
    "notice": notices.draw,
    "invoice": invoices.draw,
    "product": products.draw,
    "chart": charts.draw,
    "shapes": shapes.draw,
    "photograph": photographs.draw,
}
NUMBERED = ("invoice", "product", "chart value", "chart highest", "chart lowest", "shape count", "shape colour")
# Boxes and tables are long answers, half of them brackets and bars.
RARE = {"where": 0.6, "table": 0.4}
COMPARED_FIELD = {"invoice": "total", "product": "price", "chart": "highest"}


@dataclass(frozen=True, slots=True)
class Turn:
    """A question, the pictures that came with it, and the answer."""

    pictures: tuple[Picture, ...]
    qa: QA


@dataclass(frozen=True, slots=True)
class Drawing:
    """How pictures are drawn: their size, the fonts and the words."""

    width: int
    height: int
    faces: fonts.FontSet
    lexicon: words.Lexicon

    def draw(self, rng: random.Random, kind: str) -> Sample:
        return DRAW[kind](rng, self.width, self.height, self.faces, self.lexicon)


def about_one(rng: random.Random, drawing: Drawing, kind: str) -> list[Turn]:
    sample = drawing.draw(rng, kind)
    count = rng.randint(1, 2) if kind == "photograph" else rng.randint(3, 7)  # refusals are long, and all the same
    return turns((sample.picture,), pick(rng, sample, count))


def one_after_the_other(rng: random.Random, drawing: Drawing, kinds: tuple[str, str]) -> list[Turn]:
    """Return a conversation with a second picture. A question that names no picture means the newest one."""
    first, second = (drawing.draw(rng, kind) for kind in kinds)
    held = turns((first.picture,), pick(rng, first, rng.randint(1, 2)))
    held += turns((second.picture,), pick(rng, second, rng.randint(1, 3)))
    if rng.random() < 0.6:
        numbered = [qa for qa in pick(rng, first, 20) if qa.kind in NUMBERED]
        held += [Turn((), about_picture(rng, qa, 1)) for qa in numbered[:1]]
    return held


def side_by_side(rng: random.Random, drawing: Drawing, kind: str) -> list[Turn]:
    pair = drawing.draw(rng, kind), drawing.draw(rng, kind)
    compared = comparison(rng, kind, pair, chinese=rng.random() < 0.5)
    asked = [compared] if compared else []
    for number in rng.sample((1, 2), 2):
        numbered = [qa for qa in pick(rng, pair[number - 1], 20) if qa.kind in NUMBERED]
        asked += [about_picture(rng, qa, number) for qa in numbered[: rng.randint(1, 2)]]
    if rng.random() < 0.5:
        rng.shuffle(asked)
    return turns((pair[0].picture, pair[1].picture), asked)


def turns(pictures: tuple[Picture, ...], asked: list[QA]) -> list[Turn]:
    return [Turn(pictures if index == 0 else (), qa) for index, qa in enumerate(asked)]


def pick(rng: random.Random, sample: Sample, count: int) -> list[QA]:
    """Return up to `count` questions in one language, now and then in the other."""
    chinese = rng.random() < 0.5
    order = list(range(len(sample.questions(chinese))))
    rng.shuffle(order)
    order = [i for i in order if rng.random() < RARE.get(sample.questions(chinese)[i].kind, 1.0)] or order
    picked = []
    for index in order[:count]:
        questions = sample.questions(chinese if rng.random() < 0.9 else not chinese)
        picked.append(questions[min(index, len(questions) - 1)])
    return picked


def about_picture(rng: random.Random, qa: QA, number: int) -> QA:
    """Return the same question with the number of the picture in it."""
    if any("\u4e00" <= character <= "\u9fff" for character in qa.question) or qa.question.endswith("\uff1f"):
        question = rng.choice(PHRASES["numbered"]["ask_zh"]).format(number=number, question=qa.question)
    else:
        mark = qa.question[-1] if qa.question[-1] in "?." else ""
        question = f"{qa.question.removesuffix(mark)} in picture {number}{mark}"
    return QA(qa.kind, question, qa.answer)


def comparison(rng: random.Random, kind: str, pair: tuple[Sample, Sample], chinese: bool) -> QA | None:
    one, other = (sample.fields.get(COMPARED_FIELD.get(kind, "")) for sample in pair)
    if one is None or other is None:
        return None
    left, right = number(one.text), number(other.text)
    if left is None or right is None or left == right:
        return None
    winner = Computed("1" if left > right else "2")
    return QA("two pictures", ask(rng, f"compare {kind}", chinese), say("compared", chinese, one, other, winner))


def number(text: str) -> float | None:
    digits = "".join(c for c in text if c in "0123456789.").strip(".")
    return float(digits) if digits else None  # a narrow picture may have cut all of it off
