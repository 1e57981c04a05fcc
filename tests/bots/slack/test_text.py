"""Slack's markup in, Markdown out: nothing is lost, nothing is too long, nobody is pinged."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.slack.text import ZERO_WIDTH, defuse, escape, plain, split
from tests.bots.slack.workspace import PING

PIECES = [*"ab \n.,。！<>@#!|&*_`", "<!channel>", "<@U1>", "@here", "```", "漢字"]
WORDS = st.lists(st.sampled_from(PIECES), max_size=60).map("".join)


@given(WORDS.filter(lambda text: "```" not in text), st.integers(20, 200))
def test_split_loses_no_word_and_keeps_the_limit(text: str, limit: int) -> None:
    parts = split(text, limit)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(0 < len(part) <= limit for part in parts)


@given(WORDS, st.integers(40, 200))
def test_split_keeps_the_limit_whatever_fences_there_are(text: str, limit: int) -> None:
    assert all(0 < len(part) <= limit for part in split(text * 3, limit))


@given(WORDS, WORDS)
def test_a_text_that_grows_changes_its_last_message_only(text: str, more: str) -> None:
    before, after = split(text.strip() + "x", 60), split(text.strip() + "x" + more, 60)
    assert after[: len(before) - 1] == before[:-1]


def test_a_code_block_goes_on_in_the_next_message() -> None:
    code = "```python\n" + "print(1)\n" * 40 + "```"
    parts = split(code, 120)
    assert len(parts) > 2
    assert all(part.startswith("```python\n") and part.endswith("```") for part in parts)
    assert "".join(re.sub("```(python)?", "", part) for part in parts).split() == ["print(1)"] * 40


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("one two three\n\nfour five six", ["one two three", "four five six"]),
        ("one two three. four five six", ["one two three.", "four five six"]),
        (
            "一二三四五六七八九十十一。十二十三十四十五十六十七十八十九",
            ["一二三四五六七八九十十一。", "十二十三十四十五十六十七十八十九"],
        ),
        ("", []),
        ("   \n", []),
    ],
)
def test_cuts_are_where_they_hurt_least(text: str, parts: list[str]) -> None:
    assert split(text, 25) == parts


@given(WORDS)
def test_no_text_pings_anybody_and_all_of_it_is_still_there(text: str) -> None:
    assert not PING.search(defuse(text))
    assert defuse(text).replace(ZERO_WIDTH, "") == text


@given(WORDS, WORDS)
def test_what_is_streamed_stays_a_beginning(text: str, more: str) -> None:
    """But for a ping that is cut in the middle of a word, which an edit mends."""
    if not re.search(r"@\w*$", text):
        assert defuse(text + more).startswith(defuse(text)) or text.endswith(("<", "<!", "<@", "<#", "@"))


@pytest.mark.parametrize(
    ("slack", "text"),
    [
        ("<@U0BOT> what is it?", "what is it?"),
        ("<@U0BOT|pictures> hi <@U1|ann> and <@U2>", "hi @U1 and @U2"),
        ("see <#C1|general> <!here|here> <!subteam^S1|@team>", "see #general @here @team"),
        ("<https://x.org/a?b=1&amp;c|the page> <https://y.org> <mailto:a@b.c|a@b.c>", "the page https://y.org a@b.c"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2, &amp;lt;", "1 < 2 && 3 > 2, &lt;"),
    ],
)
def test_what_a_person_typed_comes_out_of_slacks_markup(slack: str, text: str) -> None:
    assert plain(slack, "U0BOT") == text


def test_notifications_are_escaped_as_slack_wants_it() -> None:
    assert escape("<!channel> & co") == "&lt;!channel&gt; &amp; co"
