"""What the fake server takes and gives back is what was to be said."""

import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bots.telegram.text import MESSAGE_UTF16_UNITS, TextPart, split
from tests.bots.telegram.world import World

WORDS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12),
    st.sampled_from(
        "**bold** *it* `code` ~~no~~ [link](https://example.org/a?b=1) <b>html</b> <br> $5 @somebody 发票号：**123** "
        "👩‍👩‍👧‍👦 🇩🇪 مرحبا שלום é ️ ||spoiler|| \\* &amp; 3. 7) - # > | --- ``` [1]: <!channel> ![p](x)".split(" ")
    ),
)
LINES = st.lists(WORDS, max_size=12).map(" ".join)
BLOCKS = st.one_of(
    LINES,
    LINES.map("# {}".format),
    LINES.map("> {}".format),
    st.lists(LINES, min_size=1, max_size=5).map(lambda items: "\n".join(f"- {item}" for item in items)),
    st.lists(LINES, min_size=1, max_size=5).map(lambda items: "\n".join(f"{n}. {i}" for n, i in enumerate(items, 7))),
    st.lists(LINES, min_size=1, max_size=9).map(lambda code: "```python\n" + "\n".join(code) + "\n```"),
    st.just("| a | b |\n|---|---|\n| 1 | 中文 |\n| <b> | `x` |"),
    st.just("<table>\n<tr><td>1</td></tr>\n</table>"),
)
ANSWERS = st.lists(BLOCKS, min_size=1, max_size=12).map("\n\n".join)


def told(parts: list[TextPart]) -> list[str]:
    """What a chat shows after every part was sent."""
    world = World(strict=False)
    world.chat(1)
    shown = []
    for part in parts:
        entities = [{"type": e.type, "offset": e.offset, "length": e.length, "url": e.url} for e in part.entities]
        shown.append(world.send(1, part.text, entities, {})["text"])
    return shown


def letters(text: str) -> list[str]:
    return re.findall(r"[A-Za-z0-9\u4e00-\u9fff\u0600-\u06ff\u0590-\u05ff]", text)


@settings(max_examples=60)
@given(ANSWERS, st.integers(1, 40))
@example("a" * 30_000, 1)
@example("字" * 5000 + "。" + "👩‍👩‍👧‍👦" * 1500, 1)
@example("```\n" + "x = 1\n" * 3000 + "```", 1)
def test_every_answer_is_taken_and_read_back_as_it_was_split(answer: str, times: int) -> None:
    answer = "\n\n".join([answer] * times)[:30_000]
    parts = split(answer)
    assert told(parts) == [part.text for part in parts]
    assert all(len(part.text.encode("utf-16-le")) // 2 <= MESSAGE_UTF16_UNITS for part in parts)


@settings(max_examples=60)
@given(
    st.lists(
        st.text(st.characters(categories=["L", "N", "Zs"], exclude_characters="\u3164"), max_size=90), max_size=150
    )
)
def test_plain_words_come_back_whole(lines: list[str]) -> None:
    text = "\n".join(" ".join(line.split()) for line in lines)
    shown = "\n".join(told(split(text)))
    assert shown.split() == text.split() or (not text.split() and shown == "…")


@settings(max_examples=60)
@example("- [1]: A\n\n7. [1]: B\n\n> - [1]: C")
@example("$0 <A> 0$0")
@given(ANSWERS)
def test_no_letter_of_an_answer_is_lost_to_its_formatting(answer: str) -> None:
    answer = answer.replace("``` ", "` ")  # what follows a fence is its language, which is not shown
    hidden = re.sub(
        r"!\[p\]\([^)]*\)|\]\([^)]*\)|```python|!\[p\]|&\w+;", "]", answer
    )  # addresses and marks that are not shown
    missing = sorted(letters(hidden))
    for letter in letters("".join(told(split(answer)))):
        if letter in missing:
            missing.remove(letter)
    assert not missing, ascii(answer)


def test_formatting_becomes_entities() -> None:
    [part] = split("# Title\n\n**bold** `code`\n\n```python\nprint(1)\n```")
    styles = {e.type: part.text.encode("utf-16-le")[2 * e.offset : 2 * (e.offset + e.length)] for e in part.entities}
    assert {style: text.decode("utf-16-le").strip() for style, text in styles.items() if style != "underline"} == {
        "bold": "bold",
        "code": "code",
        "pre": "print(1)",
    }


def test_a_split_falls_on_the_best_border() -> None:
    paragraphs = ["word " * 500 + "end." for _ in range(3)]
    assert [part.text for part in split("\n\n".join(paragraphs))] == paragraphs
    sentences = "一二三四五六七八九十。" * 800
    assert all(part.text.endswith("。") for part in split(sentences))
    words = [part.text for part in split("abcdefg " * 1000)]
    assert all(text.startswith("abcdefg") and text.endswith("abcdefg") for text in words)


def test_a_split_spares_entities_and_what_a_person_sees_as_one_character() -> None:
    bold = "x" * 4000 + "\n\n" + "**" + "y " * 60 + "y**"
    assert [len(part.entities) for part in split(bold)] == [0, 1]
    family = "👩‍👩‍👧‍👦"
    for part in split(family * 1000):
        assert part.text.replace(family, "") == ""
    for part in split("🇩🇪" * 2000):
        assert len(part.text) % 2 == 0


@pytest.mark.parametrize(
    ("before", "marked", "after"),
    [
        ("word " * 780, "`one two three`", "z" * 600),  # the only border near the end lies within it
        ("word " * 600, "**" + "y " * 1000 + "y**", ""),  # longer than what is never cut, and across the end
        ("x" * 4000, "`" + "y" * 300 + "`", ""),  # without any border
    ],
)
def test_a_split_falls_before_an_entity_that_fits_in_the_next_message(before: str, marked: str, after: str) -> None:
    parts = split(before + marked + after)
    [entity] = [entity for part in parts for entity in part.entities]
    assert entity.length == len(marked.strip("`*"))


def test_code_that_fits_in_a_message_is_not_torn_apart() -> None:
    code = "print(1)\n" * 300
    parts = split("word " * 500 + f"\n\n```python\n{code}```\n\nend")
    assert sum(e.type == "pre" for part in parts for e in part.entities) == 1
    assert split("```\n" + "    indented\n" * 600 + "```")[1].text.startswith("    indented")


def test_a_longer_text_only_changes_the_last_messages() -> None:
    text = "\n\n".join(f"Paragraph {number}: " + "word " * 60 for number in range(60))
    whole = split(text)
    for end in range(1000, len(text), 1777):
        some = split(text[:end])
        assert some[:-1] == whole[: len(some) - 1]


@pytest.mark.parametrize("said", ["3. a\n7. b", "1. a\n1. b", "[1]: a note", "<div>hi</div>", "a < b > c", "2 * 3 * 4"])
def test_what_markdown_would_change_stays_as_it_was(said: str) -> None:
    assert split(said) == [TextPart(said)]


@pytest.mark.parametrize("nothing", ["", " \n", "\u202e", "```"])
def test_nothing_to_say_still_is_a_message(nothing: str) -> None:
    assert told(split(nothing)) in (["…"], ["```"])


def test_a_long_answer_of_html_is_split_soon_enough() -> None:
    began = time.process_time()  # others may have the processor meanwhile
    split("<table>\n" + "<tr><td>1</td></tr>\n" * 1500 + "</table>")
    assert time.process_time() - began < 5
