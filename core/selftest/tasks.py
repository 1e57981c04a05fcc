"""The self-test's questions about its pictures, and what a right answer to each of them says."""

from dataclasses import dataclass

from core.selftest.expectations import Expectation, PointsAt, Reads, Says, Tabulates

NOT = r"(?:\bnot?\b|n't\b|\bnone\b|\bwithout\b|\bunknown\b)"
HIGHER = r"(?:higher|greater|larger|bigger|highest)"


@dataclass(frozen=True, slots=True)
class Task:
    """A question about pictures, which are PNG files in `pictures/`; without any it follows up the task before.

    `example` is a right answer, for people to compare with. `demo` tells whether the demo model is expected to answer.
    """

    kind: str
    pictures: tuple[str, ...]
    question: str
    example: str
    expected: Expectation
    demo: bool = True


TASKS = (
    Task("invoice", ("invoice",), "What is the total?", "The total is $1,482.50.", Says((r"1[, ]?482\.50?\b",))),
    Task("follow-up", (), "And the tax rate?", "The tax rate is 7%.", Says((r"\b7(?:\.0)? ?(?:%|percent)",))),
    Task(
        "missing",
        ("invoice",),
        "Who is the buyer?",
        "I see no buyer in the picture.",
        Says((rf"{NOT}[^.]{{0,80}}\bbuyer|\bbuyer\b[^.]{{0,80}}{NOT}",)),
    ),
    Task("invoice", ("invoice-zh",), "合计金额是多少？", "合计金额是¥6,350.00。", Says((r"6,?350(?:\.00)?(?!\d)",))),
    Task(
        "follow-up",
        (),
        "开票日期是哪天？",
        "开票日期是2025年11月6日。",
        Says((r"2025 ?[年./-] ?11 ?[月./-] ?0?6(?!\d)",)),
    ),
    Task(
        "product",
        ("product",),
        "What is the price?",
        "The price is $46.00.",
        Says((r"\$ ?46(?:\.00)?(?!\d)|\b46(?:\.00)? ?(?:usd|dollars)",)),
    ),
    Task(
        "follow-up",
        (),
        "What are the selling points?",
        "- Five colours\n- USB port\n- Folds flat",
        Says((r"five colou?rs", r"usb port", r"folds? flat")),
    ),
    Task("product", ("product-zh",), "产品名称是什么？", "产品名称是晨光保温杯。", Says((r"晨光 ?保温杯",))),
    Task(
        "chart",
        ("chart",),
        "Which quarter is the highest?",
        "The highest is Q2, at 110.",
        Says((r"^(?:(?!q ?[134]).)*q ?2\b",)),  # it may name others afterwards
    ),
    Task(
        "chart",
        (),
        "How much higher is the highest than the lowest?",
        "The highest is 110, the lowest 45; the difference is 65.",
        Says((r"(?<![\d.])65(?![\d%])",)),
    ),
    Task("chart", ("chart-zh",), "哪个月最高？", "三月最高，是90。", Says((r"^(?:(?![一二四124]月).)*[三3]月",))),
    Task(
        "table",
        ("chart",),
        "Show the values as a table.",
        "| Quarter | Value |\n|---|---|\n| Q1 | 60 |\n| Q2 | 110 |\n| Q3 | 45 |\n| Q4 | 80 |",
        Tabulates((("Q1", "60"), ("Q2", "110"), ("Q3", "45"), ("Q4", "80"))),
    ),
    Task(
        "table",
        ("table",),
        "What is the price of the notebook?",
        "The notebook costs $2.75.",
        Says((r"(?<![\d.])2\.75(?!\d)",), never=r"0\.60|11\.90"),
        demo=False,
    ),
    Task(
        "table",
        (),
        "Show it as a table.",
        "| Item | Count | Price |\n|---|---|---|\n| Pencil | 140 | $0.60 |\n| Notebook | 36 | $2.75 |\n"
        "| Stapler | 8 | $11.90 |",
        Tabulates((("Pencil", "140", "$0.60"), ("Notebook", "36", "$2.75"), ("Stapler", "8", "$11.90"))),
        demo=False,
    ),
    Task("screenshot", ("screenshot",), "What is the error code?", "It is 0x8C41.", Says((r"0x8c41\b",)), demo=False),
    Task("screenshot", ("screenshot-zh",), "信号强度是多少？", "信号强度是78%。", Says((r"78 ?%",)), demo=False),
    Task(
        "reading",
        ("notice",),
        "Extract all text",
        "The library is closed\non Monday, 14 June.\nPlease use the side door.",
        Reads(("The library is closed", "on Monday, 14 June.", "Please use the side door.")),
        demo=False,  # one wrong letter in a hundred is what it is good for
    ),
    Task(
        "reading",
        ("notice-zh",),
        "提取图中的所有文字",
        "会议改在三楼\n下午两点开始\n请带上笔记本",
        Reads(("会议改在三楼", "下午两点开始", "请带上笔记本")),
    ),
    Task(
        "counting",
        ("shapes",),
        "How many circles are there?",
        "There are 2 circles.",
        Says((r"\b(?:2|two) circles|^\W*(?:2|two)\W*$",), never=r"\b(?:[3-9]|three|four|five|no) circles"),
    ),
    Task("counting", ("shapes",), "有几个形状？", "有四个形状。", Says((r"[四4] ?个|^\W*[四4]\W*$",))),
    Task(
        "boxes",
        ("shapes",),
        "Where is the blue square?",
        '```json\n[{"bbox_2d": [443, 195, 599, 430], "label": "blue square"}]\n```',
        PointsAt((443, 195, 599, 430)),
    ),
    Task(
        "boxes",
        ("shapes",),
        "黄色五角星在哪里？",
        '```json\n[{"bbox_2d": [160, 625, 310, 830], "label": "黄色五角星"}]\n```',
        PointsAt((160, 625, 310, 837)),
    ),
    Task(
        "comparison",
        ("chart", "chart-zh"),
        "Which picture has the higher maximum?",
        "Picture 1: 110; picture 2: 90; picture 1 is higher.",
        Says(
            (rf"(?:\b(?:picture|image|chart) ?1|\bfirst (?:picture|image|chart|one))\b[^.;]{{0,60}}\b{HIGHER}",),
            never=rf"(?:\b(?:picture|image|chart) ?2|\bsecond (?:picture|image|chart|one)) (?:is|has the) {HIGHER}",
        ),
    ),
    Task(
        "comparison",
        ("chart-zh", "chart"),
        "哪张图的最高值更高？",
        "图1：90；图2：110；图2更高。",
        Says(
            (r"(?:图片? ?2|第[二2]张图?片?)[^。;]{0,20}更?[高大]",),
            never=r"(?:图片? ?1|第[一1]张图?片?)[^。;,]{0,6}更[高大]",
        ),
    ),
)  # fmt: skip
