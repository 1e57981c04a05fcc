"""Conversations: several questions about one picture, about a second one in a later turn, or about two side by side."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from training import charts, fonts, invoices, notices, photographs, products, shapes, words
from training.pictures import Picture
from training.subject import Exchange, Piece, Result, Subject

Draw = Callable[[random.Random, int, int, fonts.Shelf, words.Lexicon], Subject]
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
SELDOM = {"where": 0.6, "table": 0.4}
# What two pictures are compared by: the field, what is asked, and which of the two is looked for.
COMPARED = {
    "invoice": (
        "total",
        (
            ("Which picture has the higher total?", "哪张图的合计金额更高?"),
            ("Which invoice is higher?", "哪张发票金额更高?"),
        ),
    ),
    "product": (
        "price",
        (
            ("Which picture has the higher price?", "哪张图的价格更高?"),
            ("Which product is more expensive?", "哪个产品更贵?"),
        ),
    ),
    "chart": (
        "highest",
        (
            ("Which picture has the higher maximum?", "哪张图的最高值更高?"),
            ("Which chart has the higher highest value?", "哪个图的最高值更高?"),
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Turn:
    """A question, the pictures that came with it, and the answer."""

    pictures: tuple[Picture, ...]
    exchange: Exchange


@dataclass(frozen=True, slots=True)
class Desk:
    """Where pictures are drawn: their size, the fonts and the words."""

    width: int
    height: int
    shelf: fonts.Shelf
    lexicon: words.Lexicon

    def draw(self, rng: random.Random, kind: str) -> Subject:
        return DRAW[kind](rng, self.width, self.height, self.shelf, self.lexicon)


def about_one(rng: random.Random, desk: Desk, kind: str) -> list[Turn]:
    subject = desk.draw(rng, kind)
    count = rng.randint(1, 2) if kind == "photograph" else rng.randint(3, 7)  # refusals are long, and all the same
    return [Turn((subject.picture,) if i == 0 else (), e) for i, e in enumerate(some(rng, subject, count))]


def one_after_the_other(rng: random.Random, desk: Desk, kinds: tuple[str, str]) -> list[Turn]:
    """A question that names no picture means the newest one."""
    first, second = (desk.draw(rng, kind) for kind in kinds)
    turns = [Turn((first.picture,) if i == 0 else (), e) for i, e in enumerate(some(rng, first, rng.randint(1, 2)))]
    for index, exchange in enumerate(some(rng, second, rng.randint(1, 3))):
        turns.append(Turn((second.picture,) if index == 0 else (), exchange))
    if rng.random() < 0.6:
        numbered = [e for e in some(rng, first, 20) if e.kind in NUMBERED]
        turns += [Turn((), about(rng, e, 1)) for e in numbered[:1]]
    return turns


def side_by_side(rng: random.Random, desk: Desk, kind: str) -> list[Turn]:
    pair = [desk.draw(rng, kind), desk.draw(rng, kind)]
    exchanges = []
    chinese = rng.random() < 0.5
    compared = comparison(rng, kind, pair, chinese)
    if compared:
        exchanges.append(compared)
    for number in rng.sample((1, 2), 2):
        numbered = [e for e in some(rng, pair[number - 1], 20) if e.kind in NUMBERED]
        exchanges += [about(rng, e, number) for e in numbered[: rng.randint(1, 2)]]
    if rng.random() < 0.5:
        rng.shuffle(exchanges)
    pictures = tuple(subject.picture for subject in pair)
    return [Turn(pictures if i == 0 else (), e) for i, e in enumerate(exchanges)]


def some(rng: random.Random, subject: Subject, count: int) -> list[Exchange]:
    """Up to `count` exchanges in one language, now and then the other."""
    chinese = rng.random() < 0.5
    order = list(range(len(subject.exchanges(chinese))))
    rng.shuffle(order)
    order = [i for i in order if rng.random() < SELDOM.get(subject.exchanges(chinese)[i].kind, 1.0)] or order
    picked = []
    for index in order[:count]:
        language = chinese if rng.random() < 0.9 else not chinese
        exchanges = subject.exchanges(language)
        picked.append(exchanges[min(index, len(exchanges) - 1)])
    return picked


def about(rng: random.Random, exchange: Exchange, number: int) -> Exchange:
    """The same question with the picture named."""
    question = exchange.question
    if any("\u4e00" <= character <= "\u9fff" for character in question) or question.endswith("\uff1f"):
        question = rng.choice(("图{}中{}", "第{}张图中{}", "图{}的{}")).format(number, question)
    else:
        mark = question[-1] if question[-1] in "?." else ""
        question = f"{question.removesuffix(mark)} in picture {number}{mark}"
    return Exchange(exchange.kind, question, exchange.answer)


def comparison(rng: random.Random, kind: str, pair: list[Subject], chinese: bool) -> Exchange | None:
    if kind not in COMPARED:
        return None
    name, wordings = COMPARED[kind]
    spans = [subject.fields.get(name) for subject in pair]
    one, two = spans
    if one is None or two is None:
        return None
    left, right = number(one.text), number(two.text)
    if left is None or right is None or left == right:
        return None
    winner = Result("1" if left > right else "2")
    question = rng.choice(wordings)[chinese]
    # The figures come first, so that the verdict can be read off what is already written.
    answer: tuple[Piece, ...] = ("Picture 1: ", one, "; picture 2: ", two, "; picture ", winner, " is higher.")
    if chinese:
        answer = ("图1\uff1a", one, "\uff1b图2\uff1a", two, "\uff1b图", winner, "更高。")
    return Exchange("two pictures", question, answer)


def number(text: str) -> float | None:
    digits = "".join(c for c in text if c in "0123456789.").strip(".")
    return float(digits) if digits else None  # a narrow picture may have cut all of it off
