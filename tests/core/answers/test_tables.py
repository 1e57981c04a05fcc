import csv
import io
import re

import pytest

from core.answers.tables import Table, csv_file, find_tables

INVOICE = [["Item", "Price"], ["Tea", "4.20"], ["Cake", "5"]]


@pytest.mark.parametrize(
    ("answer", "table"),
    [
        ("Here:\n\n| Item | Price |\n|:-----|------:|\n| Tea | 4.20 |\n| Cake | 5 |\n\nThat is all.", INVOICE),
        ("Item | Price\n--- | ---\nTea | 4.20\nCake | 5", INVOICE),
        ("```csv\nItem,Price\nTea,4.20\nCake,5\n```", INVOICE),
        ("```csv\nItem,Price\nTea,4.20\nCake,5", INVOICE),
        ("```tsv\nItem\tPrice\nTea\t4.20\nCake\t5\n```", INVOICE),
        ("<table><tr><th>Item<th>Price</tr><tr><td>Tea</td><td>4.20</td></tr><tr><td>Cake<td>5</table>", INVOICE),
        ("```html\n<TABLE>\n<TR><TD>Item</TD> <TD>Price</TD></TR><tr><td>Tea<td>4.20<tr><td>Cake<td>5", INVOICE),
        ("| 项目 | 价格 |\n|---|---|\n| **茶** | `4,20` |", [["项目", "价格"], ["茶", "4,20"]]),
        ("| a \\| b | c |\n|---|---|\n| 1<br>2 | |", [["a | b", "c"], ["1\n2", ""]]),
        ("```csv\nItem,Price\rTea,4.20\r\nCake,5\r```", INVOICE),
        ('```csv\n"a, b",c\n"say ""hi""",d\n```', [["a, b", "c"], ['say "hi"', "d"]]),
    ],
)
def test_a_table_is_found(answer: str, table: Table) -> None:
    assert find_tables(answer) == [table]


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "No table.",
        "a | b",
        "Title\n-----\ntext",
        "| only | a head |\n|---|---|",
        "a|b\n---|---|---\n1|2",
        "|a|\n|-|\n|b|",
        "<t>",
        "1 < 2",
    ],
)
def test_what_is_no_table_is_left_alone(answer: str) -> None:
    assert find_tables(answer) == []


def test_several_tables_are_found_in_one_answer() -> None:
    one = "| a | b |\n|---|---|\n| 1 | 2 |\n"
    assert len(find_tables(f"{one}\nand\n\n{one}")) == 2


def read(file: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(file.decode("utf-8-sig"), newline="")))


def test_the_file_is_what_a_spreadsheet_expects() -> None:
    file = csv_file([[["项目", "价格, 净"], ["茶\n绿", "4"], ["短"]], INVOICE])
    assert file.startswith("\N{BOM}项目".encode())
    assert b"\r\n" in file
    assert read(file) == [["项目", "价格, 净"], ["茶\n绿", "4"], ["短", ""], [], *INVOICE]


FORMULAS = [
    "=1+1", "+cmd|' /C calc'!A0", "-2+3+cmd", "@SUM(A1)", "＝1+1", "=HYPERLINK(1)", " =1+1", "  @SUM(A1)", "\u3000=1",
    "\xa0+1+cmd", "\u200b=1", "\ufeff=1", '"=1', "\x00=1", "\x0b-1+cmd",
]  # fmt: skip
SPLIT = [
    ";=1+1", "; =1+1", "a;=cmd|' /C calc'!A0", "a;b; @SUM(A1)", "\t=1", "\r=1", "a\t=1", "a\n=1", "a\r\n+1+cmd", ";;=1",
    " ;=1", '";=1', "=1;=1", "\n;=1", ";-5;=1",
]  # fmt: skip


def fields(file: bytes, delimiter: str, quotes: bool) -> list[str]:
    """What a spreadsheet that separates cells by this makes of the file, with or without respect for quotes."""
    text = file.decode("utf-8-sig").replace("\x00", "")
    if quotes:
        return [field for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) for field in row]
    return [field for line in re.split(r"[\r\n]+", text) for field in line.split(delimiter)]


@pytest.mark.parametrize("cell", FORMULAS)
def test_formulas_are_neutralised(cell: str) -> None:
    assert read(csv_file([[["a", cell], ["b", "c"]]]))[0][1] == f"'{cell}"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("cell", FORMULAS + SPLIT)
@pytest.mark.parametrize("row", [0, 1])
def test_no_spreadsheet_finds_a_formula_wherever_it_ends_a_cell(cell: str, delimiter: str, row: int) -> None:
    rows = [["x, y", cell, "z"], [cell, "b", cell]]
    file = csv_file([[*rows[row:], ["b", "c", "d"]]])
    for field in (*fields(file, delimiter, quotes=True), *fields(file, delimiter, quotes=False)):
        visible = field.strip('" \t\r\n\x00\x0b\u200b\ufeff')
        assert not visible.startswith(("=", "+", "@", "＝")), field
        assert not visible.startswith("-") or visible == "-5", field


@pytest.mark.parametrize("cell", ["-5", "+3.2 %", "-1,234.50", "-€ 4.20", "- 7", "5=5", "a-b", ""])
def test_numbers_and_words_stay_as_they_are(cell: str) -> None:
    assert read(csv_file([[["a", cell], ["b", "c"]]]))[0][1] == cell
