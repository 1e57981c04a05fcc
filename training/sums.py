"""Comparing and subtracting figures that are told, in the very words of the answers about charts and pairs of pictures.

A chart gives one chance to subtract and a pair one to compare, beside hundreds of characters that are only copied: from
those alone a model learns neither. Here nothing has to be read.
"""

import random

from training import words
from training.subject import Exchange

SIGNS = "¥¥$€£"


def exchange(rng: random.Random) -> Exchange:
    chinese = rng.random() < 0.5
    return difference(rng, chinese) if rng.random() < 0.6 else comparison(rng, chinese)


def difference(rng: random.Random, chinese: bool) -> Exchange:
    low, high = sorted(rng.sample(range(2, 100), 2))
    times = rng.choice((1, 1, 1, 5, 10)) if high < 40 else 1
    low, high = low * times, high * times
    one, other = rng.sample((high, low), 2)
    if chinese:
        told = (
            ("最高为", str(high), "，最低为", str(low), f"；相差{high - low}。")
            if rng.random() < 0.5
            else (f"一是{one}；二是{other}；相差{high - low}。",)
        )
        return Exchange("sum", f"{one}和{other}相差多少?", told)
    told = (
        (f"The highest is {high}; the lowest is {low}; the difference is {high - low}.",)
        if rng.random() < 0.5
        else (f"One is {one}; two is {other}; the difference is {high - low}.",)
    )
    return Exchange("sum", f"What is the difference between {one} and {other}?", told)


def comparison(rng: random.Random, chinese: bool) -> Exchange:
    whole = rng.random() < 0.33
    one, other = figure(rng, whole), figure(rng, whole)
    while worth(one) == worth(other):
        other = figure(rng, whole)
    winner = 1 if worth(one) > worth(other) else 2
    if chinese:
        return Exchange("sum", f"{one}和{other}哪个更高?", (f"图1：{one}；图2：{other}；图{winner}更高。",))
    answer = f"Picture 1: {one}; picture 2: {other}; picture {winner} is higher."
    return Exchange("sum", f"Which is higher, {one} or {other}?", (answer,))


def figure(rng: random.Random, whole: bool) -> str:
    """A chart's whole number, or an amount as invoices and price tags print it."""
    sign = rng.choice(SIGNS) if rng.random() < 0.6 else ""
    return sign + (str(rng.randint(2, 190)) if whole else words.amount(rng))


def worth(figure: str) -> float:
    return float(figure.lstrip(SIGNS).replace(",", ""))
