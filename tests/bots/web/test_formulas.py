"""Which of a model's words are formulas, and that Markdown leaves their TeX alone."""

import hashlib
import re
from html import unescape
from pathlib import Path

import pytest

import bots.web
from bots.web.formulas import MOST_CHARACTERS, MOST_FORMULAS
from bots.web.markdown import render
from tests.bots.web.real_answers import LATEX

KATEX = Path(bots.web.__file__).parent / "static" / "katex"


def formulas(text: str) -> list[str]:
    return [unescape(source) for source in re.findall(r'<span class="math[^>]*>(.*?)</span>', render(text), re.DOTALL)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("so $x_1^2$ and $x_2^2$", ["$x_1^2$", "$x_2^2$"]),
        (r"so \(a_1 * b * c\).", [r"\(a_1 * b * c\)"]),
        ("so $$a_1$$ here", ["$$a_1$$"]),
        ("$$\n\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}\n$$", ["$$\n\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}\n$$"]),
        (r"\[ a \\[2pt] b_1 \]", [r"\[ a \\[2pt] b_1 \]"]),
        ("设$x$为$AB = CD$的解", ["$x$", "$AB = CD$"]),
        ("**$x_1$**, *$y_1$*\n\n- $5$\n- $z$", ["$x_1$", "$y_1$", "$5$", "$z$"]),
        ("| a |\n|--|\n| $|x|_1$ |", ["$|x|_1$"]),
        ("<table>\n<tr><td>$a<b$</td></tr>\n</table>", ["$a<b$"]),
        (LATEX, [LATEX[LATEX.index("$$") : LATEX.rindex("$$") + 2], r"\(\sigma > 0\)", r"$\mu$", r"\[ E = mc^2 \]"]),
    ],
)
def test_formulas_keep_their_tex(text: str, found: list[str]) -> None:
    assert formulas(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $10.", "5$ and 10$", "between $5 and 10$", "$5-$10", "单价$5,总价$10", "从$5到10$",
        "\\$5 and \\$6", "US$5 and CA$6", "$HOME/bin:$PATH", "a $2$nd try", "$ x $", "$$", "$x", r"\(x", "$a\nb$",
        "$$a\n\nb$$", "`$x$` and `\\(x\\)`", "```\n$$x$$\n```", "~~~\n\\[x\\]\n~~~", "    $x$",
        "https://example.org/$x$", "[a](https://example.org/?q=$x$)", f"${'x' * MOST_CHARACTERS}$",
    ],
)  # fmt: skip
def test_prices_code_and_addresses_are_no_formulas(text: str) -> None:
    assert formulas(text) == []


def test_no_formula_goes_from_code_to_code() -> None:
    assert render("`$^a` and `b$`").count("<code>") == 2


def test_what_markdown_puts_into_an_attribute_stays_its_source() -> None:
    assert 'title="it is $x_1$"' in render("[a](https://example.org 'it is $x_1$')")


def test_a_formula_brings_no_element_with_it() -> None:
    shown = render(r"$x<script>alert(1)</script>$ \(<img src=x onerror='alert(1)'>\)")
    assert "<script" not in shown and "<img" not in shown
    assert len(formulas(r"$x<b>$ \(<img>\)")) == 2


def test_a_model_cannot_write_the_mark_of_a_formula() -> None:
    assert formulas("\ue000formula7\ue001 \ue000formula0\ue001 $x$") == ["$x$"]


@pytest.mark.parametrize("number", ["7", "9" * 5000])
@pytest.mark.parametrize("around", ["<table><tr><td>{}</td></tr></table>", "```{}\ncode\n```", "words {}"])
def test_a_mark_in_character_references_stands_for_nothing(around: str, number: str) -> None:
    assert "<span" not in render(around.format(f"&#xE000;formula{number}&#xE001;"))


def test_a_row_break_begins_no_formula() -> None:
    assert formulas(r"a \\[2pt] b \\(c\\) \[x\]") == [r"\[x\]"]


def test_so_many_formulas_are_drawn_and_the_rest_is_text() -> None:
    assert len(formulas("$x$ " * (MOST_FORMULAS + 10))) == MOST_FORMULAS


def test_the_vendored_file_is_the_one_that_its_note_names() -> None:
    assert hashlib.sha256((KATEX / "katex.min.js").read_bytes()).hexdigest() in (KATEX / "README.md").read_text("utf-8")
    assert "MIT" in (KATEX / "LICENSE").read_text("utf-8")
