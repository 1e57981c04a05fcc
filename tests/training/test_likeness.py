"""Which characters are taken for each other."""

import itertools
import random

import pytest

from training import tokenizer, words
from training.likeness import NEAREST, like


@pytest.mark.parametrize(("one", "other"), ["间问", "未末", "人入", "钢铜", "己已"])
def test_what_people_mistake_for_each_other_is_alike(one: str, other: str) -> None:
    assert other in like(one)[:3] and one in like(other)[:3]


def test_every_character_has_neighbours_and_is_none_of_its_own() -> None:
    for character in tokenizer.characters():
        neighbours = like(character)
        assert len(set(neighbours)) == NEAREST and character not in neighbours


def test_about_half_of_the_characters_that_are_drawn_are_like_the_one_before() -> None:
    text = words.look_alikes(random.Random(1), 400)
    assert len(text) == 400
    share = sum(after in like(before) for before, after in itertools.pairwise(text)) / 399
    assert 0.4 < share < 0.6
