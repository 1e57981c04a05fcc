"""Draw the self-test's pictures with the product's own font: `python -m core.selftest.drawing` draws them again.

The drawn PNG files ship with the product, so that every machine asks about the same pixels and people can look at them.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from core.pictures import fonts

FOLDER = Path(__file__).parent / "pictures"
INK, RED, BLUE, GREY = "#20242a", "#b5262e", "#3f7ef0", "#c9ced6"
SIZE = 21  # of print, in pixels

Pen = ImageDraw.ImageDraw
Drawing = tuple[int, int, Callable[[Pen], None]]  # width, height and what is drawn


def picture(name: str) -> Image.Image:
    """Draw the picture called `name`."""
    return drawn(DRAWINGS[name])


def drawn(drawing: Drawing) -> Image.Image:
    width, height, draw = drawing
    image = Image.new("RGB", (width, height), "white")
    draw(ImageDraw.Draw(image))
    return image


def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(fonts.PATH, size)


def _write(pen: Pen, x: float, y: float, text: str, size: int = SIZE, fill: str = INK, anchor: str = "la") -> None:
    pen.text((x, y), text, font=_font(size), fill=fill, anchor=anchor)


def form(title: str, fields: dict[str, str]) -> Drawing:
    """Draw a title, and below it each field's label and value."""

    def draw(pen: Pen) -> None:
        _write(pen, 200, 8, title, 24, RED, "ma")
        pen.line((12, 42, 388, 42), fill=RED, width=2)
        for index, (label, value) in enumerate(fields.items()):
            y = 52 + index * 33
            _write(pen, 12, y, label)
            _write(pen, 18 + pen.textlength(label, _font(SIZE)), y, value)

    return 400, 60 + 33 * len(fields), draw


def _product(name: str, price: str, points: Sequence[str]) -> Drawing:
    def draw(pen: Pen) -> None:
        _write(pen, 12, 10, name, 25)
        _write(pen, 12, 48, price, 25, RED)
        for index, point in enumerate(points):
            _write(pen, 12, 92 + index * 32, f"• {point}")
        pen.rounded_rectangle((270, 84, 388, 236), 12, fill="#e4ecf8")
        pen.rectangle((302, 120, 356, 208), fill="#7c98cb")
        pen.ellipse((302, 106, 356, 134), fill="#2f4470")

    return 400, 256, draw


def _chart(title: str, values: dict[str, int]) -> Drawing:
    def draw(pen: Pen) -> None:
        _write(pen, 200, 8, title, SIZE, anchor="ma")
        pen.line((12, 222, 388, 222), fill=INK)
        step = 376 / len(values)
        for index, (label, value) in enumerate(values.items()):
            middle, top = 12 + step * (index + 0.5), 222 - 150 * value / max(values.values())
            pen.rectangle((middle - step * 0.3, top, middle + step * 0.3, 221), fill=BLUE)
            _write(pen, middle, top - 5, str(value), SIZE, anchor="mb")
            _write(pen, middle, 228, label, SIZE, anchor="ma")

    return 400, 260, draw


def _table(rows: Sequence[Sequence[str]], widths: Sequence[int]) -> Drawing:
    def draw(pen: Pen) -> None:
        edges = [12 + sum(widths[:index]) for index in range(len(widths) + 1)]
        for index, row in enumerate(rows):
            y = 12 + index * 40
            if index == 0:
                pen.rectangle((edges[0], y, edges[-1], y + 40), fill="#eef1f6")
            for x, cell in zip(edges, row, strict=False):
                _write(pen, x + 10, y + 8, cell)
        for index in range(len(rows) + 1):
            pen.line((edges[0], 12 + index * 40, edges[-1], 12 + index * 40), fill=GREY)
        for x in edges:
            pen.line((x, 12, x, 12 + 40 * len(rows)), fill=GREY)

    return 24 + sum(widths), 24 + 40 * len(rows), draw


def _window(title: str, lines: Sequence[str], buttons: Sequence[str]) -> Drawing:
    def draw(pen: Pen) -> None:
        pen.rectangle((0, 0, 640, 400), fill="#5b7083")
        pen.rounded_rectangle((50, 60, 590, 330), 10, fill="white")
        pen.rounded_rectangle((50, 60, 590, 104), 10, fill="#e6e9ee")
        _write(pen, 70, 70, title, 22)
        for index, line in enumerate(lines):
            _write(pen, 76, 130 + index * 36, line, 20)
        for index, text in enumerate(buttons):
            left = 590 - 150 * (len(buttons) - index)
            pen.rounded_rectangle((left, 270, left + 130, 312), 6, fill=BLUE if index == 0 else "#e6e9ee")
            _write(pen, left + 65, 291, text, 20, "white" if index == 0 else INK, "mm")

    return 640, 400, draw


def _lines(lines: Sequence[str]) -> Drawing:
    def draw(pen: Pen) -> None:
        for index, line in enumerate(lines):
            _write(pen, 14, 12 + index * 38, line, 22)

    return 400, 24 + 38 * len(lines), draw


def _shapes(shapes: Sequence[tuple[str, str, int, int]]) -> Drawing:
    """Draw shapes of 60 pixels, each a kind, a colour, and its left and top."""

    def draw(pen: Pen) -> None:
        for kind, colour, left, top in shapes:
            box = (left, top, left + 60, top + 60)
            if kind == "circle":
                pen.ellipse(box, fill=colour)
            elif kind == "square":
                pen.rectangle(box, fill=colour)
            elif kind == "triangle":
                pen.polygon(((left, top + 60), (left + 60, top + 60), (left + 30, top)), fill=colour)
            else:
                pen.polygon(_star(left + 30, top + 30), fill=colour)

    return 384, 256, draw


def _star(x: float, y: float) -> list[tuple[float, float]]:
    spokes = [(30.0 if index % 2 == 0 else 12.6, math.pi * index / 5) for index in range(10)]
    return [(x + radius * math.sin(turn), y - radius * math.cos(turn)) for radius, turn in spokes]


DRAWINGS: dict[str, Drawing] = {
    "invoice": form(
        "INVOICE",
        {
            "Invoice number:": "INV-40817",
            "Date:": "2026-03-09",
            "Seller:": "Harbor Paper Ltd",
            "Total:": "$1,482.50",
            "Tax rate:": "7%",
        },
    ),
    "invoice-zh": form(
        "增值税发票",
        {
            "发票号码：": "NO.73905216",
            "开票日期：": "2025年11月6日",
            "购方名称：": "广州华明贸易有限公司",
            "合计金额：": "¥6,350.00",
            "税率：": "9%",
        },
    ),
    "product": _product("Luna Desk Lamp 3", "$46.00", ["Five colours", "USB port", "Folds flat"]),
    "product-zh": _product("晨光保温杯", "¥89.00", ["不锈钢内胆", "保温八小时", "容量500毫升"]),
    "chart": _chart("Revenue", {"Q1": 60, "Q2": 110, "Q3": 45, "Q4": 80}),
    "chart-zh": _chart("销量", {"一月": 30, "二月": 75, "三月": 90, "四月": 55}),
    "table": _table(
        [
            ["Item", "Count", "Price"],
            ["Pencil", "140", "$0.60"],
            ["Notebook", "36", "$2.75"],
            ["Stapler", "8", "$11.90"],
        ],
        [170, 110, 120],
    ),
    "screenshot": _window(
        "Backup failed",
        ["The disk is full.", "Error code 0x8C41", "Free 12 GB and try again."],
        ["Try again", "Cancel"],
    ),
    "screenshot-zh": _window("网络设置", ["网络名称：办公室二层", "信号强度：78%", "状态：未连接"], ["连接", "取消"]),
    "notice": _lines(["The library is closed", "on Monday, 14 June.", "Please use the side door."]),
    "notice-zh": _lines(["会议改在三楼", "下午两点开始", "请带上笔记本"]),
    "shapes": _shapes(
        [
            ("circle", "#dc2828", 40, 30),
            ("square", "#2850dc", 170, 50),
            ("circle", "#28a03c", 290, 150),
            ("star", "#f5d723", 60, 160),
        ]
    ),
}


def write(folder: Path = FOLDER) -> None:
    """Write every picture as PNG."""
    for name in DRAWINGS:
        picture(name).save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    write()
