"""Comparing, subtracting and counting what is told, in the very words of the answers about pictures.

A chart gives a few chances to subtract and a pair one to compare, beside hundreds of characters that are only copied:
from those alone a model learns neither. Here nothing has to be read. The questions name no figures, as those about
pictures do not: where they did, figures were taken from the question, and answers about pictures had none to take.
"""

import dataclasses
import random

from training import shapes, words
from training.charts import AXES, AXES_ZH, spread, spread_zh
from training.conversations import COMPARED
from training.pictures import Picture
from training.subject import Exchange, Result

SIGNS = "¥¥$€£"


def some(rng: random.Random, many: int = 12) -> list[Exchange]:
    """In one language, for sentences of one length; in Chinese mostly, where they are half as long.

    Only the results in an answer are to be found; the rest is given.
    """
    chinese = rng.random() < 0.75
    kinds = (difference, difference, comparison, count, count, count)  # comparing is learned within hundreds of steps
    return [rng.choice(kinds)(rng, chinese) for _ in range(many if chinese else many // 2)]


def difference(rng: random.Random, chinese: bool) -> Exchange:
    low, high = sorted(rng.sample(range(2, 100), 2))
    times = rng.choice((1, 1, 1, 5, 10)) if high < 40 else 1
    low, high = low * times, high * times
    first, second = rng.sample((high, low), 2)
    ordered = rng.random() < 0.5
    axis = rng.choice((*AXES, *AXES_ZH) if chinese else AXES)
    at, other = rng.sample(axis.labels, 2)  # between the figures, as in answers
    if chinese:
        question = spread_zh(rng, axis.noun_zh, "") if ordered else f"{at}和{other}相差多少?"
        told = f"最高为{high}，是{at}；最低为{low}，是{other}" if ordered else f"{at}是{first}；{other}是{second}"
        return begun(rng, question, f"{told}；相差", f"{high}-{low}=", f"{high - low}。")
    question = spread(rng, axis.noun) if ordered else f"What is the difference between {at} and {other}?"
    told = f"{at} is {first}; {other} is {second}"
    if ordered:
        told = f"The highest is {high}, at {at}; the lowest is {low}, at {other}"
    return begun(rng, question, f"{told}; the difference is ", f"{high} - {low} = ", f"{high - low}.")


def begun(rng: random.Random, question: str, told: str, sum_: str, result: str) -> Exchange:
    """Mostly only the result is to be found: which figure is the larger is soon learned."""
    if rng.random() < 0.8:
        return Exchange("difference", question, (told + sum_, Result(result)))
    return Exchange("difference", question, (told, Result(sum_ + result)))


def comparison(rng: random.Random, chinese: bool) -> Exchange:
    whole = rng.random() < 0.33
    first, second = figure(rng, whole), figure(rng, whole)
    while worth(first) == worth(second):
        second = figure(rng, whole)
    winner = 1 if worth(first) > worth(second) else 2
    _, wordings = rng.choice(list(COMPARED.values()))
    question = rng.choice(wordings)[chinese]
    if chinese:
        return Exchange("comparison", question, (f"图1：{first}；图2：{second}；图", Result(f"{winner}更高。")))
    told = f"Picture 1: {first}; picture 2: {second}; picture "
    return Exchange("comparison", question, (told, Result(f"{winner} is higher.")))


def count(rng: random.Random, chinese: bool) -> Exchange:
    """Shapes of few colours and kinds: on pictures most of what is asked for is there once, and "one" is learned."""
    kinds = rng.sample(list(shapes.KINDS), rng.randint(1, 3))
    colours = rng.sample(list(shapes.COLOURS), rng.randint(1, 3))
    nowhere, box = Picture(1, 1, (255, 255, 255)), (0, 0, 1, 1)
    drawn = [shapes.Shape(rng.choice(kinds), rng.choice(colours), box) for _ in range(rng.randint(1, 5))]
    asked = (shapes.chinese if chinese else shapes.english)(rng, nowhere, drawn)
    chosen = rng.choice([exchange for exchange in asked if exchange.kind == "shape count"])
    found = next(index for index, piece in enumerate(chosen.answer) if isinstance(piece, Result))
    return dataclasses.replace(chosen, answer=chosen.answer[: found + 1])


def figure(rng: random.Random, whole: bool) -> str:
    """A chart's whole number, or an amount as invoices and price tags print it."""
    sign = rng.choice(SIGNS) if rng.random() < 0.6 else ""
    return sign + (str(rng.randint(2, 190)) if whole else words.amount(rng))


def worth(figure: str) -> float:
    return float(figure.lstrip(SIGNS).replace(",", ""))
