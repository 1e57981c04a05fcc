"""With the demo model, which reads: what random weights cannot show about precisions and caches."""

import io
import json
import random
from pathlib import Path

import pytest
import pytest_asyncio

from core.engine.config import EngineConfig
from core.engine.engine import Engine
from core.model.precision import Precision
from core.selftest.drawing import drawn, form
from tests.demo import SAMPLES, directly, sample

ASKED = json.loads((SAMPLES / "samples.json").read_text("utf-8"))
# Without boxes: the demo model is often undecided between two places, and any rounding decides.
QUESTIONS = {
    Path(name).stem: [pair["question"] for pair in pairs if "bbox" not in pair["answer"]][::6]
    for name, pairs in ASKED.items()
}


async def demo(folder: Path, precision: Precision = Precision.FLOAT32) -> Engine:
    return await Engine.start(EngineConfig(model="demo", precision=precision, cache=folder, cache_limit_gb=0.1))


async def everything(engine: Engine) -> list[str]:
    asked = [(question, name) for name, questions in QUESTIONS.items() for question in questions]
    return [(await directly(engine, (question, (sample(name),))))[0] for question, name in asked]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def exact(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return everything as float32 computes it."""
    engine = await demo(tmp_path_factory.mktemp("exact"))
    answers = await everything(engine)
    await engine.close()
    return answers


@pytest.mark.parametrize("precision", [Precision.FLOAT16, Precision.INT8])
async def test_smaller_weights_say_the_same(tmp_path: Path, precision: Precision, exact: list[str]) -> None:
    engine = await demo(tmp_path, precision)
    assert await everything(engine) == exact
    await engine.close()


async def test_what_was_kept_says_the_same_as_what_is_computed(tmp_path: Path, exact: list[str]) -> None:
    for _ in range(2):  # the second one reads what the first left on disk
        engine = await demo(tmp_path)
        assert [await everything(engine), await everything(engine)] == [exact, exact]
        await engine.close()


async def test_another_picture_gets_another_answer_and_the_same_one_the_same(tmp_path: Path) -> None:
    engine = await demo(tmp_path)
    question = "提取图中的所有文字"
    texts = [(await directly(engine, (question, (sample(name),))))[0] for name in ("invoice", "product", "invoice")]
    await engine.close()
    assert texts[0] == texts[2] != texts[1]


LABELS = {"INVOICE": ("Seller:", "Total:", "Tax rate:"), "增值税发票": ("购方名称：", "合计金额：", "税率：")}
SELLERS = {
    "INVOICE": (
        "Harbor Paper Ltd,Green Field Tools,River Glass Company,North Star Foods,Blue Door Books,Old Mill Bakery,"
        "Silver Lake Motors,Summit Print Shop,Garden Gate Flowers,Copper Wire Works,Bright Lamp Store,Stone Bridge Inn"
    ),
    "增值税发票": (
        "广州华明,上海东方,北京长城,杭州西湖,成都天府,南京金陵,武汉江城,深圳海天,苏州园林,天津北方,重庆山城,青岛海洋"
    ),
}


def invoices(title: str) -> list[tuple[bytes, str]]:
    """Draw twelve invoices, each with its total."""
    rng, found = random.Random(title), []
    for name in SELLERS[title].split(","):
        amount = f"{'$' if title == 'INVOICE' else '¥'}{rng.randint(1, 9)},{rng.randint(100, 999)}.00"
        values, data = (name, amount, f"{rng.randint(3, 19)}%"), io.BytesIO()
        drawn(form(title, dict(zip(LABELS[title], values, strict=True)))).save(data, "PNG")
        found.append((data.getvalue(), amount))
    return found


@pytest.mark.parametrize(
    ("title", "question", "comparison"),
    [
        ("INVOICE", "What is the total?", "Compare with picture 1: which picture has the higher total?"),
        ("增值税发票", "合计金额是多少？", "和图1比较，哪张图的合计金额更高？"),
    ],
)
async def test_twelve_invoices_in_one_chat_are_all_read_and_the_last_is_compared_with_the_first(
    tmp_path: Path, title: str, question: str, comparison: str
) -> None:
    engine, drawings = await demo(tmp_path), invoices(title)
    asked = [(question, (data,)) for data, _ in drawings]
    *answers, compared = await directly(engine, *asked, (comparison, ()))
    await engine.close()
    assert [amount in answer for answer, (_, amount) in zip(answers, drawings, strict=True)] == [True] * 12, answers
    assert drawings[0][1] in compared and drawings[-1][1] in compared
