import math

import pytest

from core.errors import BadQuestion
from core.picture_names import named_pictures, without_pictures
from core.regions import WHOLE, Region, around, named_region, numbered


@pytest.mark.parametrize(
    ("words", "corners", "question"),
    [
        ("top right", (450, 0, 1000, 550), ""),
        ("Bottom left: what is it?", (0, 450, 550, 1000), "what is it?"),
        ("the middle of it", (225, 225, 775, 775), ""),
        ("right half", (450, 0, 1000, 1000), ""),
        ("upper middle", (225, 0, 775, 550), ""),
        ("左上角写了什么", (0, 0, 550, 550), "写了什么"),
        ("右下", (450, 450, 1000, 1000), ""),
        ("中间", (225, 225, 775, 775), ""),
    ],
)
def test_words_name_a_part(words: str, corners: tuple[int, ...], question: str) -> None:
    assert named_region(words) == (Region(*corners), question)


@pytest.mark.parametrize("words", ["", "lefty", "to the right there is a stamp", "上海在哪里", "2"])
def test_other_words_name_none(words: str) -> None:
    assert named_region(words) is None


@pytest.mark.parametrize(
    "words", ["picture 2 top right", "top right of picture 2", "top right in image 2", "图2右上角"]
)
def test_a_part_and_its_picture_are_named_in_any_order(words: str) -> None:
    found = named_region(without_pictures(words))
    assert found is not None
    assert (found[0].corners, named_pictures(words)) == ((450, 0, 1000, 550), {2})


@pytest.mark.parametrize(
    "numbers", [(0, 0, 1000), (500, 0, 400, 9), (-1, 0, 9, 9), (0, 0, 1001, 9), (0, 0, math.nan, 9)]
)
def test_what_is_no_region_is_refused(numbers: tuple[float, ...]) -> None:
    with pytest.raises(BadQuestion, match="four numbers"):
        numbered(numbers)


def test_a_part_of_a_part_lies_in_the_whole() -> None:
    quarter = Region(500, 0, 1000, 500)
    assert quarter.within(quarter) == Region(750, 0, 1000, 250)
    assert Region(0, 0, WHOLE, WHOLE).within(quarter) == quarter


def test_a_box_is_taken_with_what_is_around_it_and_never_beyond_the_picture() -> None:
    assert around((400, 400, 600, 500)) == Region(350, 375, 650, 525)
    assert around((0, 0, 1000, 1000)) == Region(0, 0, 1000, 1000)
    assert around((100, 100, 100, 100)) == Region(0, 0, 200, 200)


def test_a_tiny_part_is_taken_with_what_is_around_it() -> None:
    assert Region(990, 0, 1000, 4).pixels(1000, 1000, 32) == (968, 0, 1000, 32)
    assert Region(100, 200, 500, 600).pixels(1000, 500, 32) == (100, 100, 500, 300)
    assert Region(0, 0, 10, 10).pixels(20, 20, 32) == (0, 0, 20, 20)
