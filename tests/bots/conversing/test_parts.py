"""Which box of an answer is meant, after other pictures came and some were removed."""

import json

import pytest

from bots.conversing.parts import box_of
from core.answer import Answer, Ending
from core.conversation import Conversation, Picture, Turn
from core.errors import BadQuestion, NotFound
from core.image import Image

BOX = json.dumps({"bbox_2d": [100, 200, 500, 700], "label": "a cat"})


def asked(number: int) -> Turn:
    return Turn("Where?", (Picture(number, Image(f"image {number}", b"", 8, 8, (8, 8))),))


def answered(words: str) -> Turn:
    return Turn("And where is that?", (), Answer(words, Ending.DONE))


def test_a_box_of_an_earlier_answer_is_not_looked_for_in_a_later_picture() -> None:
    follow_up = answered(BOX)
    known = Conversation("t:1", (asked(1), follow_up, asked(2)))
    assert box_of(follow_up, known, 1).picture.number == 1
    with pytest.raises(NotFound):
        box_of(follow_up, known, 2)


def test_the_boxes_of_an_answer_keep_their_numbers_when_a_picture_is_removed() -> None:
    both = answered(f"Picture 1: {BOX} Picture 2: {BOX}")
    known = Conversation("t:1", (asked(1), asked(2), both)).without({1})
    with pytest.raises(BadQuestion, match="no picture 1"):
        box_of(both, known, 1)
    assert box_of(both, known, 2).picture.number == 2
