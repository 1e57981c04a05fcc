"""Product pages: a name, a price and a few selling points, and something that stands for a photo of the product."""

import random

from training import fonts, words
from training.pictures import Box, Colour, Picture, Span, canvas, ink_and_paper, random_zoom
from training.samples import QA, BoundingBox, Piece, Sample, ask, joined, say


def draw(rng: random.Random, width: int, height: int, faces: fonts.FontSet, lexicon: words.Lexicon) -> Sample:
    chinese = rng.random() < 0.5
    ink, paper = ink_and_paper(rng)
    picture = canvas(rng, width, height, paper)
    face = faces.pick(rng, chinese)
    left, y = rng.uniform(6, 16), rng.uniform(4, 12)
    zoom = random_zoom(rng, width)
    size = int(rng.randint(18, 21) * zoom)
    room = width - left - 4
    if width >= 320 and rng.random() < 0.4:
        room = width * rng.uniform(0.6, 0.75) - left
        top, bottom = height * rng.uniform(0.05, 0.3), height * rng.uniform(0.6, 0.95)
        draw_product(rng, picture, (left + room + 6, top, width - 6, bottom))
    elif height >= 224 and zoom == 1.0 and rng.random() < 0.7:
        draw_product(rng, picture, (left, y, width - left, y + height - 190))
        y += height - 180
    title = int(rng.randint(20, 26) * zoom)
    text = picture.fitting(lambda: lexicon.goods(rng, chinese), face, title, room)
    name = picture.write(left, y, text, face, title, ink)
    lines: list[list[Piece]] = [[name]]
    y += title * rng.uniform(1.25, 1.5)
    tag = int(rng.randint(20, 26) * zoom)
    label = rng.choice(("", "", "价格:", "售价:", "价格\uff1a") if chinese else ("", "", "Price: ", "Only "))
    row: list[Piece] = []
    x = left
    if label:
        row += [picture.write(x, y, label.rstrip(), face, tag, ink), label[len(label.rstrip()) :]]
        x += picture.measure(label, face, tag) + (2 if not label.endswith(" ") else 0)
    red = (rng.randint(180, 230), rng.randint(0, 50), rng.randint(0, 60))
    colour = red if sum(paper) > 380 and rng.random() < 0.6 else ink
    price = picture.write(x, y, rng.choice("¥¥￥" if chinese else "$$€£") + words.amount(rng), face, tag, colour)
    lines.append([*row, price])
    y += tag * rng.uniform(1.25, 1.5)
    mark = rng.choice(("", "", "- ", "• ", "· "))
    indent = picture.measure(mark, face, size)
    points: list[Span] = []
    pitch = size * rng.uniform(1.25, 1.5)
    texts = [picture.fitting(lambda: lexicon.point(rng, chinese), face, size, room - indent) for _ in range(4)]
    for text in dict.fromkeys(texts):  # no page says a thing twice
        if y + size >= height or (len(points) > 1 and rng.random() < 0.2):
            break
        bullet: list[Piece] = [picture.write(left, y, mark.strip(), face, size, ink), " "] if mark else []
        points.append(picture.write(left + indent, y, text, face, size, ink))
        lines.append([*bullet, points[-1]])
        y += pitch
    picture.finish(rng)
    english, chinese_ = (questions(rng, zh, picture, name, price, points, joined(lines)) for zh in (False, True))
    return Sample(picture, english, chinese_, {"price": price, "name": name})


def draw_product(rng: random.Random, picture: Picture, box: Box) -> None:
    """Draw something that stands for the photo of the product."""

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
    rng: random.Random,
    chinese: bool,
    picture: Picture,
    name: Span,
    price: Span,
    points: list[Span],
    text: tuple[Piece, ...],
) -> list[QA]:
    label = "价格" if chinese else "price"
    found = [
        QA("product text", ask(rng, "read", chinese), text),
        QA("product", ask(rng, "product name", chinese), say("product name", chinese, name)),
        QA("product", ask(rng, "product price", chinese), say("product price", chinese, price)),
        QA("where", ask(rng, "where", chinese, name=label), (BoundingBox(picture, price.box, label),)),
    ]
    if points:
        listed = joined([["- ", point] for point in points])
        found.append(QA("product", ask(rng, "product points", chinese), listed))
    return found
