"""What a model is shown that can take only a few pictures."""

import pytest

from core.answer import Answer, Ending
from core.context import shorten
from core.conversation import Conversation, Picture, Turn
from tests.fakes import image

COLOURS = ("red", "green", "blue", "white", "black")


def turn(text: str, *numbers: int) -> Turn:
    return Turn(text, tuple(Picture(number, image(COLOURS[number - 1])) for number in numbers), Answer("", Ending.DONE))


def shown(*turns: Turn, most: int | None = 2) -> list[tuple[str, list[int]]]:
    """Each turn's words and the numbers of its pictures, as a model is shown them that can take `most`."""
    conversation = shorten(Conversation("c", turns), most)
    return [(turn.text, [picture.number for picture in turn.pictures]) for turn in conversation.turns]


def chat() -> list[Turn]:
    return [turn("one", 1), turn("and its date?"), turn("two", 2), turn("three", 3), turn("and its date?")]


def test_a_model_that_bears_every_picture_is_shown_the_whole_conversation() -> None:
    assert len(shown(*chat(), turn("four", 4), most=None)) == 6


def test_a_captioned_picture_is_asked_about_alone() -> None:
    assert shown(*chat(), turn("What is the total?", 4)) == [("What is the total?", [4])]


def test_a_follow_up_is_shown_what_was_said_about_the_picture_before_it() -> None:
    assert shown(*chat(), turn("and its total?")) == [("three", [3]), ("and its date?", []), ("and its total?", [])]


@pytest.mark.parametrize("asked", ["Compare with picture 1", "和图1比较"])
def test_a_picture_that_a_caption_names_is_shown_with_what_was_said_about_it(asked: str) -> None:
    assert shown(*chat(), turn(asked, 4)) == [("one", [1]), ("and its date?", []), (asked, [4])]


def test_a_comparison_without_a_picture_is_shown_the_named_and_the_newest() -> None:
    asked = turn("Compare with picture 1")
    assert [numbers for _, numbers in shown(*chat(), asked) if numbers] == [[1], [3]]
    follow_up = turn("by how much?")
    assert [numbers for _, numbers in shown(*chat(), turn("Is picture 1 or picture 3 higher?"), follow_up)] == [
        [1], [], [3], [], [], [],
    ]  # fmt: skip


def test_a_follow_up_to_a_question_about_an_older_picture_is_about_that_one() -> None:
    words = [words for words, _ in shown(*chat(), turn("And the total in picture 1?"), turn("and its tax?"))]
    assert words == ["one", "and its date?", "And the total in picture 1?", "and its tax?"]


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ("Which picture has the higher total?", [[3], [4]]),
        ("Which invoice is higher?", [[3], [4]]),
        ("What has changed since the last one?", [[3], [4]]),
        ("哪张图的合计金额更高?", [[3], [4]]),
        ("和上一张比呢?", [[3], [4]]),
        ("哪个产品更贵?", [[3], [4]]),
        ("Which quarter is the highest?", [[4]]),
        ("How much higher is the highest than the lowest?", [[4]]),
        ("Which product is this?", [[4]]),
        ("哪个季度最高?比最低季度高出多少?", [[4]]),
        ("第1行写了什么?", [[4]]),
        ("What is in picture 9?", [[4]]),
    ],
)
def test_words_decide_whether_a_picture_of_before_is_shown(asked: str, numbers: list[list[int]]) -> None:
    assert [each for _, each in shown(*chat(), turn(asked, 4)) if each] == numbers


def test_what_comes_with_a_question_is_always_shown() -> None:
    assert shown(*chat(), turn("Compare these with picture 1", 3, 4, 5))[-1][1] == [3, 4, 5]
    assert shown(*chat(), turn("Compare these with picture 1", 3, 4, 5))[0][1] == [1]


def test_of_a_turn_about_two_pictures_only_the_wanted_one_is_shown() -> None:
    assert shown(turn("both", 1, 2), turn("three", 3), turn("What is in picture 2?")) == [
        ("both", [2]), ("What is in picture 2?", []),
    ]  # fmt: skip


def test_a_conversation_of_one_question_stays_as_it_is() -> None:
    assert shown(turn("What is it?", 1, 2, 3)) == [("What is it?", [1, 2, 3])]
