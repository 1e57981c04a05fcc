"""What a model thought is told from its answer, also while it grows."""

from itertools import pairwise

import pytest

from core import thoughts
from core.answers.boxes import find_boxes, visible
from core.i18n import Translator

ANSWER = "<think>\nThree lines, so 120.\n</think>\n\nThe total is 120.\n"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (ANSWER, ("Three lines, so 120.", "The total is 120.\n")),
        ("Three lines.\n</think>\n\n120", ("Three lines.", "120")),  # the template wrote the beginning
        ("Line 2 prints </think> twice.", ("", "Line 2 prints </think> twice.")),
        ("<think>Three li", ("Three li", "")),
        ("<think>\n\n</think>\n\n120", ("", "120")),
        ("The sign says <think>.", ("", "The sign says <think>.")),
        ("<thing> is written there", ("", "<thing> is written there")),
        ("  120\n", ("", "  120\n")),
        ("", ("", "")),
    ],
)
def test_thoughts_are_what_stands_before_their_end(text: str, parts: tuple[str, str]) -> None:
    assert thoughts.split(text) == parts


def test_nothing_of_thoughts_is_shown_while_an_answer_grows() -> None:
    grown = [visible(ANSWER[:length]) for length in range(1, len(ANSWER) + 1)]
    assert set(grown[: ANSWER.index("The total")]) == {""}
    assert grown[-1] == "The total is 120.\n"
    assert visible("<thing> is") == "<thing> is"


def test_thoughts_grow_until_their_end_and_nothing_of_it_is_theirs() -> None:
    grown = [thoughts.so_far(ANSWER[:length]) for length in range(1, len(ANSWER) + 1)]
    assert grown[-1] == "Three lines, so 120."
    assert all(after.startswith(before) for before, after in pairwise(grown))
    assert thoughts.so_far("<think>2 < 3") == "2 < 3"
    assert thoughts.so_far("Three lines.\n</think>\n\n120") == ""  # shown already, as an answer


def test_thoughts_that_a_template_began_are_known_once_their_end_is_whole() -> None:
    answer = "Three lines.\n</think>\n\n120"
    grown = [thoughts.told_as_answer(answer[:length]) for length in range(len(answer) + 1)]
    end = answer.index("\n\n") + 1
    assert set(grown[:end]) == {""} and set(grown[end:]) == {"Three lines."}
    assert thoughts.told_as_answer("Line 2 prints\n</think> twice.\n") == ""
    assert thoughts.told_as_answer(ANSWER) == ""  # their beginning is there


def test_thoughts_without_an_answer_become_a_sentence() -> None:
    assert find_boxes("<think>Let me see").words(Translator("en")).startswith("The model only thought")
