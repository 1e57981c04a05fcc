"""What counts as right: any wording of what the picture says, and nothing else."""

import itertools

import pytest
import torch
from PIL import Image, ImageChops, ImageStat

from core.engine.tokenizer import Tokenizer
from core.model.description import DEMO
from core.selftest.drawing import DRAWINGS, FOLDER, picture
from core.selftest.tasks import TASKS, Task


def find(question: str) -> Task:
    return next(task for task in TASKS if task.question == question)


def name(task: Task) -> str:
    return f"{task.kind}-{TASKS.index(task)}"


def test_the_pictures_are_what_is_drawn_and_each_is_asked_about() -> None:
    shipped = {path.stem for path in FOLDER.glob("*.png")}
    assert shipped == set(DRAWINGS) == {name for task in TASKS for name in task.pictures}
    for each in shipped:
        found, drawn = Image.open(FOLDER / f"{each}.png").convert("RGB"), picture(each)
        assert found.size == drawn.size
        difference = ImageStat.Stat(ImageChops.difference(found, drawn)).mean
        assert max(difference) < 1.0, each  # another version of FreeType may smooth differently


def test_both_languages_and_every_kind_are_asked() -> None:
    assert len({name for task in TASKS for name in task.pictures}) >= 12
    for kind in (
        "invoice",
        "product",
        "chart",
        "screenshot",
        "comparison",
        "counting",
        "boxes",
        "follow-up",
        "reading",
    ):
        chinese = {any("\u4e00" <= sign <= "\u9fff" for sign in task.question) for task in TASKS if task.kind == kind}
        assert chinese == {True, False}, kind
    assert {"table", "missing"} <= {task.kind for task in TASKS}


@pytest.mark.parametrize("task", TASKS, ids=name)
def test_an_example_is_right_and_no_other_tasks_answer_is(task: Task) -> None:
    assert task.expected.holds(task.example)
    for other in TASKS:
        if other is not task and (other.kind, other.question) != (task.kind, task.question):
            assert not task.expected.holds(other.example), other.question


@pytest.fixture(scope="module")
def noise() -> list[str]:
    """Return what a model without any training might say."""
    tokenizer, random = Tokenizer(DEMO), torch.Generator().manual_seed(5)
    return [tokenizer.decode(torch.randint(1900, (200,), generator=random).tolist()) for _ in range(40)]


@pytest.mark.parametrize("task", TASKS, ids=name)
def test_nothing_and_noise_are_wrong(task: Task, noise: list[str]) -> None:
    assert not any(task.expected.holds(said) for said in ("", *noise))


RIGHT = [
    ("What is the total?", "The total amount shown on this invoice is **$1,482.50**."),
    ("What is the total?", "1482.50 USD"),
    ("And the tax rate?", "It is 7 percent."),
    ("Who is the buyer?", "The buyer isn't mentioned; only the seller, Harbor Paper Ltd, is shown."),
    ("Who is the buyer?", "There is no information about the buyer on this invoice."),
    ("合计金额是多少？", "合计金额为￥６，３５０．００元。"),
    ("开票日期是哪天？", "这张发票的开票日期是 **2025年11月06日**。"),
    ("What is the price?", "The Luna Desk Lamp 3 costs 46 dollars."),
    ("What are the selling points?", "1. **Five colors**\n2. **USB port**\n3. **Folds flat**"),
    ("Which quarter is the highest?", "**Q2** has the highest revenue, 110, well above Q4 (80) and Q1 (60)."),
    ("How much higher is the highest than the lowest?", "Q2 (110) is 65 higher than Q3 (45): 110 - 45 = 65."),
    ("哪个月最高？", "销量最高的是**三月**，为90，其次是二月。"),
    ("Show the values as a table.", "| | Sum |\n|:--|--:|\n| **Q1** | 60 |\n| Q2 | 110 |\n| Q3 | 45 |\n| Q4 | 80 |"),
    ("What is the error code?", "The error code displayed is `0x8C41`."),
    ("信号强度是多少？", "信号强度为 78％"),
    ("Extract all text", "```\nThe library is closed\non Monday, 14 June.\nPlease use the side door.\n```"),
    ("How many circles are there?", "There are **two circles** in the picture: a red one and a green one."),
    ("How many circles are there?", "2"),
    ("有几个形状？", "图中共有 4 个形状：两个圆形、一个正方形和一颗星。"),
    ("Where is the blue square?", '[\n\t{"bbox_2d": [441, 193, 601, 432], "label": "blue square"}\n]'),
    ("Which picture has the higher maximum?", "The first chart has the higher maximum: 110, against 90."),
    ("Which picture has the higher maximum?", "Picture 1 shows the higher maximum (110 in Q2)."),
    ("哪张图的最高值更高？", "第二张图的最高值更高，为110，而第一张图的最高值为90。"),
]  # fmt: skip
WRONG = [
    ("What is the total?", "The total is $1,482.00."),
    ("What is the total?", "The total is $11,482.505."),
    ("And the tax rate?", "The tax rate is 17%."),
    ("Who is the buyer?", "The buyer is Harbor Paper Ltd."),
    ("合计金额是多少？", "合计金额是¥63,500.00。"),
    ("开票日期是哪天？", "开票日期是2025年1月16日。"),
    ("开票日期是哪天？", "开票日期是2025年11月16日。"),
    ("What is the price?", "The price is $460.00."),
    ("What are the selling points?", "- Five colours\n- Folds flat"),
    ("产品名称是什么？", "产品名称是晨光保湿杯。"),
    ("Which quarter is the highest?", "Q1, Q2, Q3 and Q4."),
    ("How much higher is the highest than the lowest?", "The difference is 110 - 45 = 165."),
    ("哪个月最高？", "二月最高，三月其次。"),
    ("Show the values as a table.", "| | Value |\n|---|---|\n| Q1 | 60 |\n| Q2 | 110 |\n| Q3 | 46 |\n| Q4 | 80 |"),
    ("Show the values as a table.", "Q1 60, Q2 110, Q3 45, Q4 80"),
    ("What is the error code?", "0x8C4"),
    ("信号强度是多少？", "87%"),
    ("Extract all text", "on Monday, 14 June.\nThe library is closed\nPlease use the side door."),
    ("How many circles are there?", "There are 4 circles."),
    ("How many circles are there?", "2 squares"),
    ("有几个形状？", "有三个形状。"),
    ("Where is the blue square?", '[{"bbox_2d": [160, 625, 310, 830], "label": "yellow star"}]'),
    ("Where is the blue square?", '[{"bbox_2d": [0, 0, 1000, 1000], "label": "blue square"}]'),
    ("Which picture has the higher maximum?", "Picture 1: 110; picture 2: 90; picture 2 is higher."),
    ("哪张图的最高值更高？", "图1：110；图2：90；图1更高。"),
]  # fmt: skip


@pytest.mark.parametrize(("question", "answer"), RIGHT)
def test_other_words_for_it_are_right(question: str, answer: str) -> None:
    assert find(question).expected.holds(answer)


@pytest.mark.parametrize(("question", "answer"), WRONG)
def test_what_the_picture_does_not_say_is_wrong(question: str, answer: str) -> None:
    assert not find(question).expected.holds(answer)


def test_every_question_has_a_wrong_answer_here() -> None:
    asked = {question for question, _ in WRONG}
    known = {task.question for task in TASKS}
    assert asked <= known
    assert len(known - asked) < len(known) / 3


def test_tasks_that_follow_up_follow_something() -> None:
    assert TASKS[0].pictures
    for before, task in itertools.pairwise(TASKS):
        assert task.pictures or before.pictures or before.kind == task.kind
