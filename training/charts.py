"""Bar charts of three to six bars, most with their values printed above them."""

import itertools
import random
from dataclasses import dataclass

from training import fonts, words
from training.pictures import Box, Colour, Picture, Span, canvas, ink_and_paper, magnified
from training.products import wide
from training.subject import TABLE, TABLE_ZH, Exchange, Piece, Result, Spot, Subject, table

PALETTE: tuple[Colour, ...] = (
    (66, 133, 244), (219, 68, 55), (244, 180, 0), (15, 157, 88), (91, 155, 213), (237, 125, 49), (112, 173, 71),
    (68, 84, 106), (128, 100, 162), (75, 172, 198),
)  # fmt: skip

VALUES = ("Show the values as a table.", "Make a table of the chart.", "Give me the values as a table.")
VALUES_ZH = ("用表格列出数值", "把图表做成表格")


@dataclass(frozen=True, slots=True)
class Axis:
    """What the bars stand for: their labels, and the noun that questions use."""

    noun: str
    noun_zh: str
    labels: tuple[str, ...]
    ordered: bool  # quarters come in order


AXES = (
    Axis("quarter", "季度", ("Q1", "Q2", "Q3", "Q4"), True),
    Axis("month", "月份", ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), True),
    Axis("year", "年份", tuple(str(year) for year in range(2015, 2031)), True),
    Axis("product", "产品", ("A", "B", "C", "D", "E", "F"), True),
    Axis("city", "城市", ("Rome", "Paris", "Oslo", "Lima", "Cairo", "Tokyo", "Delhi", "Bern"), False),
)
AXES_ZH = (
    Axis("quarter", "季度", ("Q1", "Q2", "Q3", "Q4"), True),
    Axis("quarter", "季度", ("第一季度", "第二季度", "第三季度", "第四季度"), True),
    Axis("quarter", "季度", ("一季度", "二季度", "三季度", "四季度"), True),
    Axis("month", "月份", tuple(f"{month}月" for month in range(1, 13)), True),
    Axis("year", "年份", tuple(f"{year}年" for year in range(2015, 2031)), True),
    Axis("city", "城市", ("北京", "上海", "广州", "深圳", "杭州", "成都"), False),
)


@dataclass(frozen=True, slots=True, eq=False)
class Bar:
    label: Span
    value: int
    printed: Span | None
    box: Box


def draw(rng: random.Random, width: int, height: int, shelf: fonts.Shelf, lexicon: words.Lexicon) -> Subject:
    chinese = rng.random() < 0.5
    ink, paper = ink_and_paper(rng)
    picture = canvas(rng, width, height, paper)
    face = shelf.pick(rng, chinese)
    axis = rng.choice(AXES_ZH if chinese else AXES)
    size = int(rng.randint(18, 20) * magnified(rng, width))
    widest = max(picture.measure(label, face, size) for label in axis.labels)
    count = min(len(axis.labels), rng.randint(3, 6), max(2, int((width - 16) / (widest + 8))))
    start = rng.randrange(len(axis.labels) - count + 1)
    labels = axis.labels[start : start + count] if axis.ordered else tuple(rng.sample(axis.labels, count))
    series, series_zh = rng.choice(words.SERIES)
    unit, unit_zh = rng.choice(words.UNITS)
    title = series_zh if chinese else series
    shown = unit_zh if chinese else unit
    if shown and rng.random() < 0.7:
        title += f"({shown})" if chinese else f" ({shown})"
    y = rng.uniform(4, 8)
    x = 8 if rng.random() < 0.4 else max(4, (width - picture.measure(title, face, size)) / 2)
    picture.write(x, y, title, face, size, ink)
    values = some_values(rng, count)
    colours = rng.sample(PALETTE, count) if rng.random() < 0.5 else [rng.choice(PALETTE)] * count
    floor = height - size * 1.5
    ceiling = y + size * 2.8
    pitch = (width - 16) / count
    thick = pitch * rng.uniform(0.4, 0.75)
    bars: list[Bar] = []
    picture.line((6, floor), (width - 6, floor), ink)
    for index, (label, value) in enumerate(zip(labels, values, strict=True)):
        middle = 8 + pitch * (index + 0.5)
        top = floor - (floor - ceiling) * value / max(values)
        box = (middle - thick / 2, top, middle + thick / 2, floor)
        picture.rectangle(box, colours[index])
        text = str(value)
        printed = picture.write(
            middle - picture.measure(text, face, size) / 2, top - size * 1.15, text, face, size, ink
        )
        name = picture.write(
            middle - picture.measure(label, face, size) / 2, floor + size * 0.2, label, face, size, ink
        )
        bars.append(Bar(name, value, printed, box))
    picture.finish(rng)
    highest = max(bars, key=lambda bar: bar.value).printed
    fields = {"highest": highest} if highest else {}
    return Subject(picture, *questions(rng, picture, bars, axis, series.lower(), series_zh), fields)


def some_values(rng: random.Random, count: int) -> list[int]:
    """Different round numbers: the model is to compare and subtract, not to be a calculator."""
    step = rng.choice((5, 10, 10, 1))
    chosen = rng.sample(range(2, {1: 99, 5: 31, 10: 20}[step]), count)
    return [value * step for value in chosen]


def said(bar: Bar) -> Piece:
    return bar.printed or str(bar.value)


def questions(
    rng: random.Random, picture: Picture, bars: list[Bar], axis: Axis, series: str, series_zh: str
) -> tuple[list[Exchange], list[Exchange]]:
    high, low = max(bars, key=lambda b: b.value), min(bars, key=lambda b: b.value)
    of = rng.choice((f" {series}", "", " value"))
    of_zh = rng.choice((series_zh, "", "数值"))
    highest = rng.choice(
        (
            f"Which {axis.noun} has the highest{of}?",
            f"Which {axis.noun} is the highest?",
            "Which bar is the highest?",
            f"What is the highest {axis.noun}?",
            "What is the highest value?",
            "Which one is highest?",
        )
    )
    lowest = rng.choice(
        (
            f"Which {axis.noun} has the lowest{of}?",
            f"Which {axis.noun} is the lowest?",
            "Which bar is the lowest?",
            f"What is the lowest {axis.noun}?",
            "What is the lowest value?",
            "Which one is lowest?",
        )
    )
    highest_zh = rng.choice(
        (
            f"哪个{axis.noun_zh}{of_zh}最高?",
            f"哪个{axis.noun_zh}最高?",
            "最高的是哪个?",
            f"最高的{axis.noun_zh}是哪个?",
            "最高是多少?",
        )
    )
    lowest_zh = rng.choice(
        (
            f"哪个{axis.noun_zh}{of_zh}最低?",
            f"哪个{axis.noun_zh}最低?",
            "最低的是哪个?",
            f"最低的{axis.noun_zh}是哪个?",
            "最低是多少?",
        )
    )
    value = rng.choice(("What is the value of {}?", "How high is {}?", "What is {}?", "How much is {}?", "{}?"))
    value_zh = rng.choice(("{}是多少?", "{}的数值是多少?", "{}有多少?", "{}?"))
    asked, shown = rng.choice(bars), rng.choice(bars)
    # The figure comes first: it is seen by its height alone, and its label stands right below it.
    top, bottom = (
        ("The highest is ", said(high), ", at ", high.label),
        ("the lowest is ", said(low), ", at ", low.label),
    )
    top_zh, bottom_zh = ("最高为", said(high), "，是", high.label), ("最低为", said(low), "，是", low.label)
    box = Spot(picture, shown.box, shown.label.text)
    rows = [(bar.label, said(bar)) for bar in bars]
    english = [
        Exchange("chart highest", highest, (*top, ".")),
        Exchange("chart lowest", lowest, ("The lowest is ", *bottom[1:], ".")),
        Exchange("chart difference", spread(rng, axis.noun), (*top, "; ", *bottom, "; ", *apart(high, low), ".")),
        Exchange("where", f"Where is the bar of {shown.label.text}?", (box,)),
        Exchange("table", rng.choice((*TABLE, *VALUES)), table((axis.noun.capitalize(), "Value"), rows)),
    ]
    chinese = [
        Exchange("chart highest", wide(rng, highest_zh), (*top_zh, "。")),
        Exchange("chart lowest", wide(rng, lowest_zh), (*bottom_zh, "。")),
        Exchange(
            "chart difference",
            wide(rng, spread_zh(rng, axis.noun_zh, of_zh)),
            (*top_zh, "；", *bottom_zh, "；", *apart_zh(high, low), "。"),
        ),
        Exchange("where", wide(rng, f"{shown.label.text}的柱子在哪里?"), (box,)),
        Exchange("table", rng.choice((*TABLE_ZH, *VALUES_ZH)), table((axis.noun_zh, "数值"), rows)),
    ]
    for bar in {asked.label: asked, shown.label: shown}.values():
        english.append(Exchange("chart value", value.format(bar.label.text), (bar.label, " is ", said(bar), ".")))
        chinese.append(
            Exchange("chart value", wide(rng, value_zh.format(bar.label.text)), (bar.label, "是", said(bar), "。"))
        )
    for one, other in rng.sample(list(itertools.permutations(bars, 2)), 2):
        pair = (one.label, " is ", said(one), "; ", other.label, " is ", said(other))
        question = f"What is the difference between {one.label.text} and {other.label.text}?"
        english.append(Exchange("chart difference", question, (*pair, "; ", *apart(one, other), ".")))
        pair = (one.label, "是", said(one), "；", other.label, "是", said(other))
        question = wide(rng, f"{one.label.text}和{other.label.text}相差多少?")
        chinese.append(Exchange("chart difference", question, (*pair, "；", *apart_zh(one, other), "。")))
    return english, chinese


def apart(one: Bar, other: Bar) -> tuple[Piece, ...]:
    """The sum is written out: what is subtracted then stands right before the result, and a reader can check it."""
    more, less = (one, other) if one.value > other.value else (other, one)
    return "the difference is ", said(more), " - ", said(less), " = ", Result(str(more.value - less.value))


def apart_zh(one: Bar, other: Bar) -> tuple[Piece, ...]:
    _, more, _, less, _, result = apart(one, other)
    return "相差", more, "-", less, "=", result


def spread(rng: random.Random, noun: str) -> str:
    """Asks for the highest, the lowest and what lies between."""
    return rng.choice(
        (
            "What is the difference between the highest and the lowest?",
            "How much higher is the highest than the lowest?",
            f"Which {noun} is the highest, and how much higher than the lowest is it?",
            "By how much do highest and lowest differ?",
        )
    )


def spread_zh(rng: random.Random, noun: str, of: str) -> str:
    return rng.choice(
        (
            f"哪个{noun}{of}最高?比最低{noun}高出多少?",
            "最高比最低高出多少?",
            "最高和最低相差多少?",
            "最高和最低差多少?",
        )
    )
