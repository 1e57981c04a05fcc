"""An answer that goes round in circles ends; a table does not."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from core.answer import Ending
from core.engine.repetition import Repetition
from core.engine.tokenizer import Tokenizer
from core.model.description import DEMO
from core.sampling import Sampling
from tests.core.engine.conftest import Start
from tests.core.engine.tiny import ask, make_image

TOKENIZER = Tokenizer(DEMO)


def looped_at(text: str) -> str | None:
    """What is good of a text in which a loop is found."""
    ids, repetition = TOKENIZER.encode(text), Repetition(TOKENIZER.decode)
    for token in ids:
        if (good := repetition.add(token)) is not None:
            return TOKENIZER.decode(ids[:good])
    return None


@pytest.mark.parametrize(
    ("start", "repeated"),
    [
        ("The total is 19.70. ", "The total is 19.70. "),
        ("=nee00", "h"),
        ("合计金额", "是是"),
        ("价格：", "请看图片。"),
        ("Yes, ", "and so on, "),
        ("A", "ha"),
        ("", "The buyer is Green Field Inc.\n"),
        ("x", "0"),
        ("sum", "-="),
        ("ok\n", "\n"),
        ("", "不知道图中有什么东西在哪里\n"),
    ],
)
def test_a_loop_is_found_and_what_was_good_stays(start: str, repeated: str) -> None:
    good = looped_at(start + repeated * 500)
    assert good is not None
    assert good.startswith(start)
    assert len(good) <= len(start) + 3 * len(repeated) + 8


def tables() -> Iterator[tuple[str, str]]:
    rng = np.random.default_rng(32)
    for number in range(20):
        columns, rows = int(rng.integers(2, 9)), int(rng.integers(5, 60))
        cells = rng.choice(["0", "0.00", "-", "", "N/A", "1", "无", "是", "Yes"], (rows, columns))
        same = np.tile(cells[:1], (rows, 1))
        yield f"markdown-{number}", "\n".join(f"| {' | '.join(row)} |" for row in cells)
        yield f"alike-{number}", "\n".join(f"| {' | '.join(row)} |" for row in same)
        yield (
            f"html-{number}",
            "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in same[:, :3]),
        )
    for cell in ("0", "0.00", "-", "N/A", "无", "—", "是", "EUR 0.00"):
        yield f"column of {cell}", f"{cell}\n" * 60
        yield f"row of {cell}", f"| {cell} " * 50
        yield f"json of {cell}", ",".join(f'{{"qty": 0, "note": "{cell}"}}' for _ in range(40))
    yield "receipt", "Rice noodles with beef 0.25 kg   12.50\n" * 20
    yield "leaders", "\n".join(f"{n}. Chapter {n} {'.' * 60} {n * 7}" for n in range(1, 30))
    yield "form", "Name: ____________________________________________________\n" * 12
    yield "list", "- rice\n" * 40
    yield "numbers", " ".join(str(n) for n in range(300))
    yield "tsv", "0\t0\t0\n" * 60
    yield from counting()


def counting() -> Iterator[tuple[str, str]]:
    """Rows of which only a number differs: a loop that counts looks the same, and lasts no longer than these."""
    yield "answer sheet", "\n".join(f"{n}. A" for n in range(1, 101))
    yield "answers in a line", " ".join(f"{n}. A" for n in range(1, 101))
    yield "questionnaire", "\n".join(f"{n}. Yes" for n in range(1, 61))
    yield "inventory", "\n".join(f"{n}. Chair" for n in range(1, 81))
    yield "seats", ", ".join(f"Seat {n}" for n in range(1, 81))
    yield "csv", "\n".join(f"{n},widget,{3 * n}" for n in range(1, 61))
    yield "serial numbers", "\n".join(f"SN-{1000 + n},OK,0.00" for n in range(60))
    yield "calendar", "\n".join(f"{n}日 休息" for n in range(1, 32))
    yield "numbered rows", "\n".join(f"| {n} | pending |" for n in range(1, 61))
    yield "log", "\n".join(f"08:{n // 60:02}:{n % 60:02} INFO request served in {n % 9} ms" for n in range(0, 300, 5))
    yield "statement", "\n".join(f"{n % 28 + 1:02}.11.2026 Card payment {3 * n % 90 + 5}.20 EUR" for n in range(60))
    yield "multiplication", "\n".join(f"{a} x {b} = {a * b}" for a in range(1, 11) for b in range(1, 11))
    yield "timetable", " ".join(f"{6 + n // 6:02}:{n * 10 % 60:02}" for n in range(100))


@pytest.mark.parametrize(("name", "text"), [pytest.param(name, text, id=name) for name, text in tables()])
def test_tables_lists_and_receipts_are_no_loops(name: str, text: str) -> None:
    assert looped_at(text) is None


def test_a_long_answer_costs_little_to_watch() -> None:
    """The work is bounded: a token looks back once for each length of what may be repeated."""
    decoded: list[int] = []
    repetition = Repetition(lambda ids: decoded.append(len(ids)) or "text")  # type: ignore[func-returns-value]
    for token in np.random.default_rng(0).integers(0, 2000, 8192):
        assert repetition.add(int(token)) is None
    assert not decoded  # text is made only of what repeats


async def test_the_engine_ends_a_loop_and_says_so(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that says the same few words for ever: its logits are changed, the rest is the engine's own."""
    loop = TOKENIZER.encode("Total 5. ")
    before = TOKENIZER.encode("Well: ")
    said = iter([*before, *(loop * 200)])

    def one(logits: torch.Tensor, *_: object) -> int:
        return next(said)

    monkeypatch.setattr("core.engine.worker.sample", one)
    heard: list[object] = []
    async with start() as engine:
        answer = await engine.answer(ask("What?", make_image(1)), Sampling(max_new_tokens=400), heard.append)
    assert answer.ending is Ending.REPEATED
    assert answer.text.strip() == "Well: Total 5."
    assert answer.figures.answer_tokens < 120
