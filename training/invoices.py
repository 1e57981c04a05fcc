"""Invoices in English and Chinese: number, date, buyer, seller, total, tax rate."""

import random
from dataclasses import dataclass

from training import fonts, words
from training.pictures import Picture, Span, canvas, ink_and_paper, random_zoom
from training.samples import QA, BoundingBox, Piece, Sample, ask, joined, say, table, wide


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an invoice: how it is printed, asked for and answered."""

    name: str
    name_zh: str
    labels: list[str]
    labels_zh: list[str]
    asked: list[str]  # whole questions, apart from those made from the name
    asked_zh: list[str]


FIELDS = {key: Field(**field) for key, field in words.WORDS["invoice_fields"].items()}


def draw(rng: random.Random, width: int, height: int, faces: fonts.FontSet, lexicon: words.Lexicon) -> Sample:
    chinese = rng.random() < 0.5
    ink, paper = ink_and_paper(rng)
    picture = canvas(rng, width, height, paper)
    face = faces.pick(rng, chinese)
    size = rng.randint(18, 20) if width < 300 else int(rng.randint(18, 23) * random_zoom(rng, width))
    left, y = rng.uniform(5, 14), rng.uniform(4, 10)
    lines: list[list[Piece]] = []
    pitch = size * rng.uniform(1.25, 1.5)
    count = min(6, int((height - y - 4) / pitch))
    if count > 3 and rng.random() < 0.6:
        title = rng.choice(("发票", "增值税发票", "电子发票") if chinese else ("INVOICE", "Invoice", "TAX INVOICE"))
        heading = size + rng.randint(0, 4)
        x = left if rng.random() < 0.4 else (width - picture.measure(title, face, heading)) / 2
        red = (rng.randint(120, 200), rng.randint(0, 60), rng.randint(0, 60))
        colour = red if sum(paper) > 600 and rng.random() < 0.3 else ink
        lines.append([picture.write(x, y, title, face, heading, colour)])
        y += heading * 1.4
        if rng.random() < 0.5:
            picture.line((left, y - 4), (width - left, y - 4), ink)
        count = min(6, int((height - y - 4) / pitch))
    order = list(FIELDS)
    if rng.random() < 0.6:  # otherwise in the usual order
        rng.shuffle(order)
    chosen = set(rng.sample(order, max(1, count - (rng.random() < 0.2))))
    order = [name for name in order if name in chosen]

    def label_of(name: str) -> str:
        """Return a label that leaves room for the value: the shortest, where no other does."""
        known = FIELDS[name].labels_zh if chinese else FIELDS[name].labels
        short = [label for label in known if picture.measure(label, face, size) < width * 0.55]
        return rng.choice(short or [min(known, key=len)]) + colon

    colon = "\uff1a" if chinese and rng.random() < 0.7 else ":"
    texts = {name: label_of(name) for name in order}
    gap = size * rng.uniform(0.15, 0.5)
    aligned = rng.random() < 0.4
    column = max(picture.measure(text, face, size) for text in texts.values())
    values: dict[str, Span] = {}
    labels: dict[str, Span] = {}
    for name in order:
        label = labels[name] = picture.write(left, y, texts[name], face, size, ink)
        x = left + column + gap if aligned else label.box[2] + gap
        room = width - x - 2
        text = picture.fitting(lambda name=name: value(name, rng, chinese, lexicon), face, size, room)  # type: ignore[misc]
        values[name] = picture.write(x, y, text, face, size, ink)
        lines.append([label, "" if colon == "\uff1a" else " ", values[name]])
        y += pitch
    picture.finish(rng)
    english, chinese_ = (questions(rng, zh, picture, values, labels, joined(lines)) for zh in (False, True))
    return Sample(picture, english, chinese_, values)


def value(name: str, rng: random.Random, chinese: bool, lexicon: words.Lexicon) -> str:
    if name == "number":
        digits = "".join(rng.choice(words.DIGITS) for _ in range(rng.randint(5, 10)))
        return rng.choice(("", "", "NO.", "INV-", "A", rng.choice("BCDEFGHXYZ") + "-")) + digits
    if name == "date":
        year, month, day = rng.randint(2015, 2030), rng.randint(1, 12), rng.randint(1, 28)
        if chinese and rng.random() < 0.5:
            return f"{year}年{month}月{day}日"
        mark = rng.choice("-/.")
        return f"{year}{mark}{month:02}{mark}{day:02}"
    if name in ("buyer", "seller"):
        return lexicon.company(rng, chinese)
    if name == "total":
        return rng.choice("¥¥¥￥" if chinese else "$$€£¥") + words.amount(rng)
    return f"{rng.choice((1, 3, 5, 6, 7, 9, 10, 13, 16, 17, 19, 20, rng.randint(1, 25)))}%"


def questions(
    rng: random.Random,
    chinese: bool,
    picture: Picture,
    values: dict[str, Span],
    labels: dict[str, Span],
    text: tuple[Piece, ...],
) -> list[QA]:
    def called(name: str) -> str:
        return FIELDS[name].name_zh if chinese else FIELDS[name].name

    found = [QA("invoice text", ask(rng, "read", chinese), text)]
    for name, span in values.items():
        answer = (f"{called(name)}是", span, "。") if chinese else (f"The {called(name)} is ", span, ".")
        found.append(QA("invoice", asked(rng, name, chinese), answer))
    rows = [(labels[name].without_last(), values[name]) for name in values]
    head = ("项目", "内容") if chinese else ("Field", "Value")
    found.append(QA("table", ask(rng, "invoice table", chinese), table(head, rows)))
    name = rng.choice(list(values))
    box = BoundingBox(picture, values[name].box, called(name))
    found.append(QA("where", ask(rng, "where", chinese, name=called(name)), (box,)))
    missing = [name for name in FIELDS if name not in values]
    for name in rng.sample(missing, min(3, len(missing))):
        found.append(QA("missing", asked(rng, name, chinese), say("missing", chinese, called(name))))
    return found


def asked(rng: random.Random, name: str, chinese: bool) -> str:
    field = FIELDS[name]
    if chinese:
        if rng.random() < 0.5:
            return wide(rng, rng.choice(field.asked_zh))
        return ask(rng, "invoice field", True, name=rng.choice((field.name_zh, field.name_zh, *field.labels_zh)))
    if rng.random() < 0.4:
        return rng.choice(field.asked)
    return ask(rng, "invoice field", False, name=field.name)
