"""Invoices in English and Chinese: number, date, buyer, seller, total, tax rate."""

import random
from dataclasses import dataclass

from training import fonts, notices, words
from training.pictures import Picture, Span, canvas, ink_and_paper, magnified
from training.subject import TABLE, TABLE_ZH, Exchange, Piece, Spot, Subject, joined, table


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an invoice: how it is printed, asked for and answered."""

    labels: tuple[str, ...]
    labels_zh: tuple[str, ...]
    name: str
    name_zh: str
    asked: tuple[str, ...] = ()  # whole questions beside those made from the name
    asked_zh: tuple[str, ...] = ()


FIELDS = {
    "number": Field(
        ("Invoice No.", "Invoice Number", "No.", "Invoice #"), ("发票号码", "票据号码", "编号", "发票号"),
        "invoice number", "发票号码", ("Which number does the invoice have?", "What is the invoice no.?"),
        ("发票号码是多少?", "发票号是多少?", "编号是多少?"),
    ),
    "date": Field(
        ("Date", "Invoice Date", "Issued"), ("开票日期", "日期", "开具日期"), "date", "开票日期",
        ("When was it issued?", "What is the invoice date?"), ("什么时候开的票?", "开票日期是哪天?", "日期是什么?"),
    ),
    "buyer": Field(
        ("Buyer", "Bill To", "Customer"), ("购方名称", "购买方", "购方", "客户"), "buyer", "购买方",
        ("Who is the buyer?", "Who is the customer?", "Who bought it?"),
        ("购买方是谁?", "购方名称是什么?", "客户是谁?"),
    ),
    "seller": Field(
        ("Seller", "From", "Vendor"), ("销方名称", "销售方", "销方", "卖方"), "seller", "销售方",
        ("Who is the seller?", "Who is the vendor?", "Who issued the invoice?"),
        ("销售方是谁?", "销方名称是什么?", "卖方是谁?"),
    ),
    "total": Field(
        ("Total", "Amount Due", "Grand Total"), ("合计金额", "金额合计", "价税合计", "总金额", "合计"),
        "total", "合计金额",
        ("How much is the total?", "How much is it?", "What is the total amount?", "What's the amount due?"),
        ("合计多少钱?", "总金额是多少?", "合计金额是多少?", "一共多少钱?", "价税合计是多少?"),
    ),
    "rate": Field(
        ("Tax Rate", "VAT Rate", "VAT"), ("税率",), "tax rate", "税率",
        ("How high is the tax rate?", "What is the VAT rate?"),
        ("税率是多少?",),
    ),
}  # fmt: skip
FORM = ("Show the fields as a table.", "Make a table of the invoice.")
FORM_ZH = ("用表格列出各项", "把发票做成表格")
ASK = (
    "What is the {}?",
    "What is the {}?",
    "What's the {}?",
    "Tell me the {}.",
    "{}?",
    "Give me the {}.",
    "What is the {} on this invoice?",
    "What is the {} of the invoice?",
)
ASK_ZH = ("{}是什么?", "{}是多少?", "{}是多少?", "请告诉我{}。", "{}?", "这张发票的{}是什么?", "图中的{}是多少?", "{}")


def draw(rng: random.Random, width: int, height: int, shelf: fonts.Shelf, lexicon: words.Lexicon) -> Subject:
    chinese = rng.random() < 0.5
    ink, paper = ink_and_paper(rng)
    picture = canvas(rng, width, height, paper)
    face = shelf.pick(rng, chinese)
    size = rng.randint(18, 20) if width < 300 else int(rng.randint(18, 23) * magnified(rng, width))
    colon = "\uff1a" if chinese and rng.random() < 0.7 else ":"
    left, y = rng.uniform(5, 14), rng.uniform(4, 10)
    lines: list[list[Piece]] = []
    pitch = size * rng.uniform(1.25, 1.5)
    count = min(6, int((height - y - 4) / pitch))
    if count > 3 and rng.random() < 0.6:
        title = rng.choice(("发票", "增值税发票", "电子发票") if chinese else ("INVOICE", "Invoice", "TAX INVOICE"))
        heading = size + rng.randint(0, 4)
        x = left if rng.random() < 0.4 else (width - picture.measure(title, face, heading)) / 2
        colour = (
            (rng.randint(120, 200), rng.randint(0, 60), rng.randint(0, 60))
            if sum(paper) > 600 and rng.random() < 0.3
            else ink
        )
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
        """One that leaves room for the value: the shortest, where no other does."""
        known = FIELDS[name].labels_zh if chinese else FIELDS[name].labels
        short = [label for label in known if picture.measure(label, face, size) < width * 0.55]
        return rng.choice(short or [min(known, key=len)]) + colon

    labels = {name: label_of(name) for name in order}
    gap = size * rng.uniform(0.15, 0.5)
    table = rng.random() < 0.4
    column = max(picture.measure(label, face, size) for label in labels.values())
    found: dict[str, Span] = {}
    labelled: dict[str, Span] = {}
    for name in order:
        label = picture.write(left, y, labels[name], face, size, ink)
        labelled[name] = label
        x = left + column + gap if table else label.box[2] + gap
        text = value(name, rng, chinese, lexicon)
        for _ in range(20):
            if picture.measure(text, face, size) < width - x - 2:
                break
            text = value(name, rng, chinese, lexicon)
        while len(text) > 1 and picture.measure(text, face, size) > width - x - 2:
            text = text[:-1].rstrip()
        found[name] = picture.write(x, y, text, face, size, ink)
        lines.append([label, "" if labels[name].endswith("\uff1a") else " ", found[name]])
        y += pitch
    picture.finish(rng)
    return Subject(picture, *questions(rng, picture, found, labelled, joined(lines)), found)


def value(name: str, rng: random.Random, chinese: bool, lexicon: words.Lexicon) -> str:
    if name == "number":
        digits = "".join(rng.choice(words.DIGITS) for _ in range(rng.randint(5, 10)))
        return rng.choice(("", "", "NO.", "INV-", "A", rng.choice("BCDEFGHXYZ") + "-")) + digits
    if name == "date":
        year, month, day = rng.randint(2015, 2030), rng.randint(1, 12), rng.randint(1, 28)
        if chinese and rng.random() < 0.5:
            return f"{year}年{month}月{day}日"
        return rng.choice((f"{year}-{month:02}-{day:02}", f"{year}/{month:02}/{day:02}", f"{year}.{month:02}.{day:02}"))
    if name in ("buyer", "seller"):
        return lexicon.company(rng, chinese)
    if name == "total":
        return (rng.choice("¥¥¥￥") if chinese else rng.choice("$$€£¥")) + words.amount(rng)
    return f"{rng.choice((1, 3, 5, 6, 7, 9, 10, 13, 16, 17, 19, 20, rng.randint(1, 25)))}%"


def questions(
    rng: random.Random,
    picture: Picture,
    found: dict[str, Span],
    labelled: dict[str, Span],
    all_text: tuple[Piece, ...],
) -> tuple[list[Exchange], list[Exchange]]:
    english = [Exchange("invoice text", rng.choice(notices.READ), all_text)]
    chinese = [Exchange("invoice text", rng.choice(notices.READ_ZH), all_text)]
    for name, span in found.items():
        english.append(Exchange("invoice", asked(rng, name), (f"The {FIELDS[name].name} is ", span, ".")))
        chinese.append(Exchange("invoice", asked_zh(rng, name), (f"{FIELDS[name].name_zh}是", span, "。")))
    rows = [(labelled[name].without_last(), found[name]) for name in found]
    english.append(Exchange("table", rng.choice((*TABLE, *FORM)), table(("Field", "Value"), rows)))
    chinese.append(Exchange("table", rng.choice((*TABLE_ZH, *FORM_ZH)), table(("项目", "内容"), rows)))
    name = rng.choice(list(found))
    known = FIELDS[name]
    box = Spot(picture, found[name].box, known.name)
    english.append(Exchange("where", f"Where is the {known.name}?", (box,)))
    box = Spot(picture, found[name].box, known.name_zh)
    chinese.append(Exchange("where", f"{known.name_zh}在哪里?", (box,)))
    missing = [name for name in FIELDS if name not in found]
    for name in rng.sample(missing, min(3, len(missing))):
        english.append(Exchange("missing", asked(rng, name), (f"I see no {FIELDS[name].name} in the picture.",)))
        chinese.append(Exchange("missing", asked_zh(rng, name), (f"图中没有{FIELDS[name].name_zh}。",)))
    return english, chinese


def asked(rng: random.Random, name: str) -> str:
    known = FIELDS[name]
    if known.asked and rng.random() < 0.4:
        return rng.choice(known.asked)
    question = rng.choice(ASK).format(known.name)
    return question[0].upper() + question[1:]


def asked_zh(rng: random.Random, name: str) -> str:
    known = FIELDS[name]
    if rng.random() < 0.5:
        question = rng.choice(known.asked_zh)
    else:
        question = rng.choice(ASK_ZH).format(rng.choice((known.name_zh, known.name_zh, *known.labels_zh)))
    return question.replace("?", "\uff1f") if rng.random() < 0.5 else question
