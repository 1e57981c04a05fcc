"""Product pages: a name, a price and a few selling points beside a picture of something."""

import random
from collections.abc import Callable

from training import fonts, notices, words
from training.pictures import Colour, Picture, Span, canvas, ink_and_paper, magnified
from training.subject import Exchange, Piece, Spot, Subject, joined

NAME = (
    "What is the name of the product?", "What is the product name?", "What product is this?",
    "Which product is this?", "What is it called?",
)  # fmt: skip
NAME_ZH = ("产品名称是什么?", "这是什么产品?", "商品名称是什么?", "这款产品叫什么?", "名称是什么?")
PRICE = (
    "What is the price?", "How much is it?", "How much does it cost?", "What does it cost?", "Price?",
    "What is the price of the product?",
)  # fmt: skip
PRICE_ZH = ("价格是多少?", "多少钱?", "这个多少钱?", "售价是多少?", "产品的价格是多少?")
POINTS = (
    "What are the selling points?", "List the selling points.", "What are the main selling points?",
    "What are the features?", "What does it offer?",
)  # fmt: skip
POINTS_ZH = (
    "有哪些卖点?", "主要卖点有哪些?", "这款产品的主要卖点有哪些?", "列出卖点。", "产品有什么特点?", "卖点是什么?",
)  # fmt: skip


def draw(rng: random.Random, width: int, height: int, shelf: fonts.Shelf, lexicon: words.Lexicon) -> Subject:
    chinese = rng.random() < 0.5
    ink, paper = ink_and_paper(rng)
    picture = canvas(rng, width, height, paper)
    face = shelf.pick(rng, chinese)
    left, y = rng.uniform(6, 16), rng.uniform(4, 12)
    larger = magnified(rng, width)
    size = int(rng.randint(18, 21) * larger)
    room = width - left - 4
    if width >= 320 and rng.random() < 0.4:
        room = width * rng.uniform(0.6, 0.75) - left
        thing(
            rng, picture, (left + room + 6, height * rng.uniform(0.05, 0.3), width - 6, height * rng.uniform(0.6, 0.95))
        )
    elif height >= 224 and larger == 1.0 and rng.random() < 0.7:
        thing(rng, picture, (left, y, width - left, y + height - 190))
        y += height - 180
    title = int(rng.randint(20, 26) * larger)
    name = fitting(picture, lambda: lexicon.goods(rng, chinese), face, title, room)
    lines: list[list[Piece]] = []
    named = picture.write(left, y, name, face, title, ink)
    lines.append([named])
    y += title * rng.uniform(1.25, 1.5)
    sign = rng.choice("¥¥￥") if chinese else rng.choice("$$€£")
    red = (rng.randint(180, 230), rng.randint(0, 50), rng.randint(0, 60))
    bright = sum(paper) > 380
    tag = int(rng.randint(20, 26) * larger)
    label = (
        rng.choice(("", "", "价格:", "售价:", "价格\uff1a")) if chinese else rng.choice(("", "", "Price: ", "Only "))
    )
    row: list[Piece] = []
    x = left
    if label:
        span = picture.write(x, y, label.rstrip(), face, tag, ink)
        row += [span, label[len(label.rstrip()) :]]
        x += picture.measure(label, face, tag) + (2 if not label.endswith(" ") else 0)
    price = picture.write(x, y, sign + words.amount(rng), face, tag, red if bright and rng.random() < 0.6 else ink)
    lines.append([*row, price])
    y += tag * rng.uniform(1.25, 1.5)
    mark = rng.choice(("", "", "- ", "• ", "· "))
    points: list[Span] = []
    pitch = size * rng.uniform(1.25, 1.5)
    indent = picture.measure(mark, face, size)
    texts = [fitting(picture, lambda: lexicon.point(rng, chinese), face, size, room - indent) for _ in range(4)]
    for text in dict.fromkeys(texts):  # no page says a thing twice
        if y + size >= height or (len(points) > 1 and rng.random() < 0.2):
            break
        bullet: list[Piece] = [picture.write(left, y, mark.strip(), face, size, ink), " "] if mark else []
        points.append(picture.write(left + indent, y, text, face, size, ink))
        lines.append([*bullet, points[-1]])
        y += pitch
    picture.finish(rng)
    return Subject(picture, *questions(rng, picture, named, price, points, lines), {"price": price, "name": named})


def fitting(picture: Picture, make: Callable[[], str], face: fonts.Face, size: float, room: float) -> str:
    """A text that is short enough, made anew until it is; in the end cut."""
    text = make()
    for _ in range(20):
        if picture.measure(text, face, size) < room:
            return text
        text = make()
    while picture.measure(text, face, size) > room:
        text = text[:-1].rstrip()
    return text


def thing(rng: random.Random, picture: Picture, box: tuple[float, float, float, float]) -> None:
    """Stands in for the photo of the goods."""

    def shade() -> Colour:
        return (rng.randint(40, 230), rng.randint(40, 230), rng.randint(40, 230))

    left, top, right, bottom = box
    if rng.random() < 0.7:
        picture.rectangle(box, shade(), radius=rng.uniform(0, 12))
    middle, height = (left + right) / 2, min(bottom - top, right - left)
    if right - left > 120:
        middle = rng.uniform(left + 50, right - 50)
    half = height * rng.uniform(0.25, 0.45)
    inner = (middle - half, (top + bottom) / 2 - half, middle + half, (top + bottom) / 2 + half)
    if rng.random() < 0.5:
        picture.ellipse(inner, shade())
    else:
        picture.rectangle(inner, shade(), radius=rng.uniform(0, 10))


def questions(
    rng: random.Random, picture: Picture, name: Span, price: Span, points: list[Span], lines: list[list[Piece]]
) -> tuple[list[Exchange], list[Exchange]]:
    text = joined(lines)
    listed = joined([["- ", point] for point in points])
    english = [
        Exchange("product text", rng.choice(notices.READ), text),
        Exchange("product", rng.choice(NAME), ("The product is ", name, ".")),
        Exchange("product", rng.choice(PRICE), ("The price is ", price, ".")),
        Exchange("where", "Where is the price?", (Spot(picture, price.box, "price"),)),
    ]
    chinese = [
        Exchange("product text", rng.choice(notices.READ_ZH), text),
        Exchange("product", wide(rng, rng.choice(NAME_ZH)), ("产品名称是", name, "。")),
        Exchange("product", wide(rng, rng.choice(PRICE_ZH)), ("价格是", price, "。")),
        Exchange("where", wide(rng, "价格在哪里?"), (Spot(picture, price.box, "价格"),)),
    ]
    if points:
        english.append(Exchange("product", rng.choice(POINTS), listed))
        chinese.append(Exchange("product", wide(rng, rng.choice(POINTS_ZH)), listed))
    return english, chinese


def wide(rng: random.Random, question: str) -> str:
    """Half the people type the Chinese question mark."""
    return question.replace("?", "\uff1f") if rng.random() < 0.5 else question
