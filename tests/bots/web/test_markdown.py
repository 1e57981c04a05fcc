"""HTML tables, colours of code and folded thoughts: what of a model's HTML reaches a browser, and what does not."""

import pytest

from bots.web.markdown import MOST_COLOURED, fold, render
from tests.bots.web.real_answers import CODE, HTML_TABLE


def test_an_html_table_is_a_table_and_the_rest_is_markdown() -> None:
    shown = render(HTML_TABLE)
    assert '<div class="table" tabindex="0" role="group"><table>' in shown
    assert '<th colspan="2">Revenue (million EUR)</th>' in shown and "<td>South &amp; West</td>" in shown
    assert "<strong>north</strong>" in shown and "&lt;" not in shown


@pytest.mark.parametrize(
    "harm",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<a href='javascript:alert(1)'>a</a>",
        "<iframe src='https://example.org'></iframe>",
        "<svg><script>alert(1)</script></svg>",
        "<style>body { display: none }</style>",
        "<form action='/api/v1/stop'><button>b</button></form>",
        "<td onclick='alert(1)' style='position: fixed' class='quiet' id='send'>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
        "</table></div><script>alert(1)</script>",
        "<!-- <script>alert(1)</script> -->",
    ],
)
def test_a_table_brings_nothing_with_it(harm: str) -> None:
    shown = render(f"<table onload='alert(1)' style='color: red'><tr><td>{harm}</td></tr></table>").lower()
    left = shown.replace('<div class="table" tabindex="0" role="group">', "")
    for word in (
        "<script",
        "<img",
        "<a",
        "<iframe",
        "<svg",
        "<style",
        "<form",
        "<button",
        "<math",
        " on",
        "style=",
        "class=",
        "id=",
    ):
        assert word not in left, (word, left)


@pytest.mark.parametrize("span", ["101", "1000000", "-1", "1e3", "x", "²", "9" * 5000])
def test_no_cell_takes_the_whole_screen(span: str) -> None:
    assert "span=" not in render(f"<table><tr><td colspan='{span}' rowspan='{span}'>a</td></tr></table>")


def test_a_short_table_becomes_no_huge_one() -> None:
    """A parser opens each differing tag again in each paragraph."""
    text = "<table><tr><td><p>" + "".join(f"<b {number}>" for number in range(300)) + "<p>x" * 600
    assert len(render(text)) < 10 * len(text)


def test_growing_code_has_no_colours_yet() -> None:
    assert "<span" not in render(CODE, growing=True)


def test_tables_in_tables_end() -> None:
    shown = render("<table><tr><td>" * 1000 + "deep")
    assert shown.count("<table>") == shown.count("</table>") > 0
    assert "deep" in shown


def test_only_tables_that_begin_a_line_outside_of_code_are_tables() -> None:
    assert "<table" not in render("In a line: <table><tr><td>a</td></tr></table>")
    assert "<table" not in render("```html\n<table><tr><td>a</td></tr></table>\n```")
    assert "<table" not in render("~~~~\n```\n<table><tr><td>a</td></tr></table>\n~~~~")
    assert "<em>b</em>" in render("<table>\n<tr><td>a</td></tr>\n</table>\n*b*")


def test_a_table_that_still_grows_is_closed() -> None:
    assert render("Here:\n\n<table><tr><td>1</td><td>2").endswith("<td>1</td><td>2</td></tr></tbody></table></div>\n")


def test_code_has_colours_and_stays_the_same_text() -> None:
    assert '<span class="k">def</span>' in render(CODE)
    assert "&lt;b&gt;" in render("```python\nx = '<b>'\n```").replace('<span class="s1">', "").replace("</span>", "")


@pytest.mark.parametrize(
    "code", ["```nonsense\ndef\n```", "```\ndef\n```", f"```python\n{'x = 1;' * MOST_COLOURED}\n```"]
)
def test_other_code_has_none(code: str) -> None:
    assert "<span" not in render(code)


def test_thoughts_are_folded_and_harmless() -> None:
    assert fold("What the model thought", "") == ""
    shown = fold("What <it> thought", "so **b** <script>")
    assert shown.startswith('<details class="thoughts"><summary>What &lt;it&gt; thought</summary>')
    assert "<strong>b</strong>" in shown and "<script" not in shown
