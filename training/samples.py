"""The three sample pictures of the web page with true questions and answers. Run: python -m training.samples

They look like what the model has learned, and were never in its training.
"""

import json
from pathlib import Path

from training import fonts
from training.pictures import Colour, Picture
from training.tokenizer import DEMO

DIRECTORY = DEMO / "samples"
PLAIN, BOLD = fonts.CHINESE[0], fonts.CHINESE[1]
WHITE: Colour = (255, 255, 255)
INK: Colour = (30, 32, 40)

ANSWERS = {
    "invoice.png": (
        ("What is the total?", "The total is ¥8,600.00."),
        ("What is the invoice number?", "The invoice number is NO.20260118."),
        ("What is the date?", "The date is 2026年1月18日."),
        ("Who is the buyer?", "The buyer is 北京明达科技有限公司."),
        ("Who is the seller?", "The seller is 上海恒信软件有限公司."),
        ("What is the tax rate?", "The tax rate is 13%."),
        ("Where is the total?", '```json\n[{"bbox_2d": [330, 730, 580, 810], "label": "total"}]\n```'),
        ("合计金额在哪里？", '```json\n[{"bbox_2d": [330, 730, 580, 810], "label": "合计金额"}]\n```'),
        ("合计金额是多少？", "合计金额是¥8,600.00。"),
        ("发票号码是多少？", "发票号码是NO.20260118。"),
        ("开票日期是哪天？", "开票日期是2026年1月18日。"),
        ("购买方是谁？", "购买方是北京明达科技有限公司。"),
        ("销售方是谁？", "销售方是上海恒信软件有限公司。"),
        ("税率是多少？", "税率是13%。"),
        (
            "提取图中的所有文字",
            "增值税发票\n发票号码：NO.20260118\n开票日期：2026年1月18日\n购方名称：北京明达科技有限公司\n"
            "销方名称：上海恒信软件有限公司\n合计金额：¥8,600.00\n税率：13%",
        ),
    ),
    "product.png": (
        ("What is the name of the product?", "The product is Nova Headphones Pro 7."),
        ("What is the price?", "The price is $129.00."),
        (
            "What are the selling points?",
            "- Noise cancelling\n- 40 hours of music\n- Bluetooth 5.3\n- Folds flat",
        ),
        ("产品名称是什么？", "产品名称是Nova Headphones Pro 7。"),
        ("价格是多少？", "价格是$129.00。"),
        ("主要卖点有哪些？", "- Noise cancelling\n- 40 hours of music\n- Bluetooth 5.3\n- Folds flat"),
    ),
    "chart.png": (
        ("Which quarter is the highest?", "The highest is 120, at Q4."),
        ("Which quarter is the lowest?", "The lowest is 70, at Q2."),
        ("What is the value of Q3?", "Q3 is 95."),
        (
            "How much higher is the highest than the lowest?",
            "The highest is 120, at Q4; the lowest is 70, at Q2; the difference is 120 - 70 = 50.",
        ),
        ("Where is the bar of Q4?", '```json\n[{"bbox_2d": [780, 260, 910, 870], "label": "Q4"}]\n```'),
        (
            "Show the values as a table.",
            "| Quarter | Value |\n|---|---|\n| Q1 | 85 |\n| Q2 | 70 |\n| Q3 | 95 |\n| Q4 | 120 |",
        ),
        ("哪个季度收入最高？", "最高为120，是Q4。"),
        ("哪个季度收入最低？", "最低为70，是Q2。"),
        ("Q1是多少？", "Q1是85。"),
        ("哪个季度收入最高?比最低季度高出多少?", "最高为120，是Q4；最低为70，是Q2；相差120-70=50。"),
        ("Q4的柱子在哪里？", '```json\n[{"bbox_2d": [780, 260, 910, 870], "label": "Q4"}]\n```'),
        ("用表格列出数值", "| 季度 | 数值 |\n|---|---|\n| Q1 | 85 |\n| Q2 | 70 |\n| Q3 | 95 |\n| Q4 | 120 |"),
    ),
}


def invoice() -> Picture:
    picture = Picture(384, 256, WHITE)
    red = (168, 40, 40)
    title = "增值税发票"
    picture.write((384 - picture.measure(title, BOLD, 25)) / 2, 8, title, BOLD, 25, red)
    picture.line((14, 42), (370, 42), red, 2)
    rows = (
        ("发票号码：", "NO.20260118"),
        ("开票日期：", "2026年1月18日"),
        ("购方名称：", "北京明达科技有限公司"),
        ("销方名称：", "上海恒信软件有限公司"),
        ("合计金额：", "¥8,600.00"),
        ("税率：", "13%"),
    )
    for index, (label, value) in enumerate(rows):
        y = 54 + index * 33
        left = picture.write(14, y, label, PLAIN, 21, INK).box[2]
        picture.write(left + 6, y, value, PLAIN, 21, INK)
    return picture


def product() -> Picture:
    face = fonts.LATIN[3]
    picture = Picture(384, 256, WHITE)
    picture.write(14, 12, "Nova Headphones Pro 7", face, 25, INK)
    picture.write(14, 50, "$129.00", face, 25, (200, 30, 45))
    for index, point in enumerate(("Noise cancelling", "40 hours of music", "Bluetooth 5.3", "Folds flat")):
        picture.write(14, 100 + index * 34, f"• {point}", face, 20, INK)
    picture.rectangle((256, 84, 370, 240), (228, 236, 247), radius=14)
    dark, light = (52, 73, 110), (120, 150, 200)
    picture.ellipse((274, 106, 352, 196), dark)
    picture.ellipse((284, 116, 342, 206), (228, 236, 247))
    for left in (266, 336):
        picture.rectangle((left, 150, left + 24, 204), light, radius=10)
    return picture


def chart() -> Picture:
    picture = Picture(384, 256, WHITE)
    title = "收入(万元)"
    picture.write((384 - picture.measure(title, BOLD, 20)) / 2, 8, title, BOLD, 20, INK)
    floor, pitch = 222.0, 88
    picture.line((14, floor), (370, floor), INK)
    for index, value in enumerate((85, 70, 95, 120)):
        middle = 60 + index * pitch
        top = floor - value * 1.3
        picture.rectangle((middle - 26, top, middle + 26, floor), (66, 133, 244))
        for text, y in ((str(value), top - 23), (f"Q{index + 1}", floor + 5)):
            picture.write(middle - picture.measure(text, PLAIN, 20) / 2, y, text, PLAIN, 20, INK)
    return picture


def save(directory: Path = DIRECTORY) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, draw in (("invoice.png", invoice), ("product.png", product), ("chart.png", chart)):
        draw().image.save(directory / name, optimize=True)
    listed = {name: [{"question": q, "answer": a} for q, a in pairs] for name, pairs in ANSWERS.items()}
    (directory / "samples.json").write_text(json.dumps(listed, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    save()
