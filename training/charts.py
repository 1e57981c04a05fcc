"""Bar charts of three to six bars with their values printed above them."""

import itertools
import random
from dataclasses import dataclass

from training import fonts, words
from training.pictures import Box, Colour, Picture, Span, canvas, ink_and_paper, random_zoom
from training.samples import QA, BoundingBox, Computed, Sample, ask, say, table

PALETTE: tuple[Colour, ...] = (
    (66, 133, 244), (219, 68, 55), (244, 180, 0), (15, 157, 88), (91, 155, 213), (237, 125, 49), (112, 173, 71),
    (68, 84, 106), (128, 100, 162), (75, 172, 198),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Axis:
    """What the bars stand for: their labels, and the noun that questions use."""

    noun: str
    noun_zh: str
    labels: list[str]
    ordered: bool  # quarters come in order


AXES = [Axis(**axis) for axis in words.WORDS["axes"]]
AXES_ZH = [Axis(**axis) for axis in words.WORDS["axes_zh"]]


@dataclass(frozen=True, slots=True, eq=False)
class Bar:
    label: Span
    value: int
    printed: Span
    box: Box


def draw(rng: random.Random, width: int, height: int, faces: fonts.FontSet, lexicon: words.Lexicon) -> Sample:
    chinese = rng.random() < 0.5
    ink, paper = ink_and_paper(rng)
    picture = canvas(rng, width, height, paper)
    face = faces.pick(rng, chinese)
    axis = rng.choice(AXES_ZH if chinese else AXES)
    size = int(rng.randint(18, 20) * random_zoom(rng, width))
    widest = max(picture.measure(label, face, size) for label in axis.labels)
    count = min(len(axis.labels), rng.randint(3, 6), max(2, int((width - 16) / (widest + 8))))
    start = rng.randrange(len(axis.labels) - count + 1)
    labels = axis.labels[start : start + count] if axis.ordered else rng.sample(axis.labels, count)
    series, series_zh = rng.choice(words.WORDS["series"])
    title = series_zh if chinese else series
    unit = rng.choice(words.WORDS["units"])[chinese]
    if unit and rng.random() < 0.7:
        title += f"({unit})" if chinese else f" ({unit})"
    y = rng.uniform(4, 8)
    x = 8 if rng.random() < 0.4 else max(4, (width - picture.measure(title, face, size)) / 2)
    picture.write(x, y, title, face, size, ink)
    values = random_values(rng, count)
    colours = rng.sample(PALETTE, count) if rng.random() < 0.5 else [rng.choice(PALETTE)] * count
    floor, ceiling = height - size * 1.5, y + size * 2.8
    pitch = (width - 16) / count
    thick = pitch * rng.uniform(0.4, 0.75)
    bars: list[Bar] = []
    picture.line((6, floor), (width - 6, floor), ink)

    def centred(text: str, middle: float, top: float) -> Span:
        return picture.write(middle - picture.measure(text, face, size) / 2, top, text, face, size, ink)

    for index, (label, value) in enumerate(zip(labels, values, strict=True)):
        middle = 8 + pitch * (index + 0.5)
        top = floor - (floor - ceiling) * value / max(values)
        box = (middle - thick / 2, top, middle + thick / 2, floor)
        picture.rectangle(box, colours[index])
        printed = centred(str(value), middle, top - size * 1.15)
        bars.append(Bar(centred(label, middle, floor + size * 0.2), value, printed, box))
    picture.finish(rng)
    names = rng.choice((f" {series.lower()}", "", " value")), rng.choice((series_zh, "", "数值"))
    english, chinese_ = (questions(rng, zh, picture, bars, axis, names[zh]) for zh in (False, True))
    return Sample(picture, english, chinese_, {"highest": max(bars, key=lambda bar: bar.value).printed})


def random_values(rng: random.Random, count: int) -> list[int]:
    """Return different round numbers: the model is to compare and subtract, not to be a calculator."""
    step = rng.choice((5, 10, 10, 1))
    chosen = rng.sample(range(2, {1: 99, 5: 31, 10: 20}[step]), count)
    return [value * step for value in chosen]


def questions(rng: random.Random, chinese: bool, picture: Picture, bars: list[Bar], axis: Axis, of: str) -> list[QA]:
    high, low = max(bars, key=lambda b: b.value), min(bars, key=lambda b: b.value)
    noun = axis.noun_zh if chinese else axis.noun
    head = (noun, "数值") if chinese else (noun.capitalize(), "Value")

    def answer(kind: str, *asked: Bar) -> QA:
        pieces = [piece for bar in asked for piece in (bar.printed, bar.label)]
        return QA(kind, ask(rng, kind, chinese, noun=noun, of=of), say(kind, chinese, *pieces))

    spread = say("chart spread", chinese, high.printed, high.label, low.printed, low.label, *difference(high, low))
    shown, asked = rng.sample(bars, 2)
    box = BoundingBox(picture, shown.box, shown.label.text)
    found = [
        answer("chart highest", high),
        answer("chart lowest", low),
        QA("chart difference", ask(rng, "chart spread", chinese, noun=noun, of=of), spread),
        QA("where", ask(rng, "where bar", chinese, name=shown.label.text), (box,)),
        QA("table", ask(rng, "chart table", chinese), table(head, [(bar.label, bar.printed) for bar in bars])),
    ]
    for bar in (asked, shown):
        question = ask(rng, "chart value", chinese, name=bar.label.text)
        found.append(QA("chart value", question, say("chart value", chinese, bar.label, bar.printed)))
    for one, other in rng.sample(list(itertools.permutations(bars, 2)), 2):
        question = ask(rng, "chart difference", chinese, one=one.label.text, other=other.label.text)
        pair = one.label, one.printed, other.label, other.printed
        found.append(QA("chart difference", question, say("chart difference", chinese, *pair, *difference(one, other))))
    return found


def difference(one: Bar, other: Bar) -> tuple[Span, Span, Computed]:
    more, less = (one, other) if one.value > other.value else (other, one)
    return more.printed, less.printed, Computed(str(more.value - less.value))
