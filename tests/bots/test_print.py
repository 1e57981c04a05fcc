"""Print arrives on every platform: transcriptions character for character, and in other answers what Markdown eats."""

import html
import re
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bots.slack.text import ZERO_WIDTH, messages
from bots.telegram.text import clean, split
from bots.web.markdown import render
from core.answer import Answer, Ending
from core.answers.markdown import protected, verbatim
from core.answers.transcript import as_markdown
from core.conversation import Conversation, Turn
from core.i18n import Translator
from tests.bots.telegram.world import World

PRINT = [
    *r"- 320|- $45|+ 1,250.00|2*3*4|2**8|__init__|_tmp_|C:\_tmp\(new)|# 5520|\(x^2\)|\[y\]|> 50|>>> go|5) five".split(
        "|"
    ),
    *r"1. 320|<b>|</td>|<http://a.b>|&amp;|&copy;|[1](2)|![p](x)|[1]:|~5~|$5|$x$|*5*|\|snake_case|\*x\*".split("|"),
    *r"@somebody|金额|￥5*3*2|- (5)|=5|x|y\|a|b|----".split("|"),
    *("a|b", "||", "|", "a\\|b"),
]
TEXTS = st.lists(
    st.one_of(
        st.lists(st.sampled_from(PRINT), max_size=4).map(" ".join),
        st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=30),
        st.sampled_from(
            ["```", "~~~", "````python", "    indented", "\ttab", "", "| a | b |", "|---|---|", "===", "---", "***"]
        ),
    ),
    max_size=12,
).map("\n".join)


def on_telegram(markdown: str) -> str:
    world = World(strict=False)
    world.chat(1)
    shown = []
    for part in split(markdown):
        entities = [{"type": e.type, "offset": e.offset, "length": e.length, "url": e.url} for e in part.entities]
        shown.append(world.send(1, part.text, entities, {})["text"])
    return "\n".join(shown)


def on_slack(markdown: str) -> str:
    commonmark = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return "\n".join(_text(commonmark.render(part)) for part in messages(markdown)).replace(ZERO_WIDTH, "")


def on_the_page(markdown: str) -> str:
    return _text(render(markdown))


PLATFORMS = [on_telegram, on_slack, on_the_page]


def _text(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", page))


def ink(text: str) -> str:
    """What is printed of it."""
    return "".join(clean(text).replace(ZERO_WIDTH, "").replace("•", "").split())


@pytest.mark.parametrize("platform", PLATFORMS)
@settings(max_examples=150)
@given(TEXTS.filter(lambda text: text.strip()), st.sampled_from([1, 1, 1, 60]))
@example("Balance 500\n- 320\n- 45", 1)
@example("``` `````` ~~~\n```\n````", 1)
@example("x" * 5000, 1)
@example("`" * 700, 1)
def test_the_characters_of_a_transcription_arrive_in_order(
    platform: Callable[[str], str], text: str, times: int
) -> None:
    text = "\n".join([text] * times)
    assert ink(platform(verbatim(text))).replace("…", "") == ink(text).replace("…", "")


@settings(max_examples=50)
@given(TEXTS.filter(lambda text: text.strip()))
def test_the_characters_of_a_transcription_stand_in_the_export(text: str) -> None:
    turn = Turn("提取所有文字", (), Answer(text, Ending.DONE))
    exported = as_markdown(Conversation("c", (turn,)), Translator("en"))
    assert ink(text) in ink(_text(MarkdownIt("commonmark").render(exported)))


@pytest.mark.parametrize("platform", PLATFORMS)
@settings(max_examples=150)
@given(st.lists(st.lists(st.sampled_from(PRINT), min_size=1, max_size=3).map(" ".join), max_size=8).map("\n".join))
def test_print_in_any_answer_keeps_its_marks(platform: Callable[[str], str], text: str) -> None:
    assert ink(platform(text)) == ink(text) or not text


MEANT = {
    "**bold** and *italic*, **金额**123，~~no~~": "bold and italic, 金额123，no",
    "# Title\n\n## 1. Part": "Title1. Part",
    "- apples\n- **5** pears\n  - [ ] done": "apples5 pearsdone",
    "> quoted\n> - 5": "quoted- 5",
    "see [the page](https://example.org/a_b_c)": "see the page",
    "`2*3*4 \\n` and\n```python\n__init__ # 5\n```": "2*3*4 \\n and __init__ # 5",
    "| a | b |\n|:--|--:|\n| 1 | x \\| y |": "ab1x | y",
    "one\n\n---\n\ntwo": "onetwo",
}


@pytest.mark.parametrize(("markdown", "shown"), MEANT.items())
def test_marks_that_the_model_meant_stay_marks(markdown: str, shown: str) -> None:
    assert protected(markdown) == markdown.replace("> - 5", "> \\- 5")
    assert ink(on_the_page(markdown)).replace("[]", "") == ink(shown)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("2*3*4", "2\\*3\\*4"),
        ("__init__", "\\_\\_init\\_\\_"),
        ("C:\\_tmp\\(new)", "C:\\\\_tmp\\\\(new)"),
        ("Total:\n- 320", "Total:\n\\- 320"),
        ("# 5520", "\\# 5520"),
        ("1) one", "1\\) one"),
        ("3. a\n7. b", "3. a\n7\\. b"),
        ("01. a", "01\\. a"),
        ("Sum\n===", "Sum\n\\==="),
        ("| a | b |\n|---|---|\n| 1 | 2 | 3 |", "| a | b |\n|---|---|\n| 1 | 2 \\| 3 |"),
    ],
)
def test_print_gets_a_backslash(said: str, kept: str) -> None:
    assert protected(said) == kept
