"""The true answers are true, and everything asked can be read off the picture."""

import random
import re

import pytest

from training import conversations, fonts, invoices, shapes, tokenizer, words
from training.conversations import DRAW, Drawing
from training.evaluate import distance, overlap
from training.pictures import Span
from training.samples import PHRASES, Computed, ObjectName, Sample

DRAWING = Drawing(320, 224, fonts.TRAINING, words.Lexicon(held_out=False))


@pytest.fixture(scope="module", params=list(DRAW))
def samples(request: pytest.FixtureRequest) -> list[Sample]:
    rng = random.Random(f"samples {request.param}")
    return [DRAWING.draw(rng, request.param) for _ in range(6)]


def test_quoted_text_stands_on_the_picture(samples: list[Sample]) -> None:
    for sample in samples:
        for qa in [*sample.english, *sample.chinese]:
            for span in (piece for piece in qa.answer if isinstance(piece, Span)):
                letters = "".join(span.text.split())
                drawn = sample.picture.glyphs[span.first : span.first + len(letters)]
                assert "".join(glyph.character for glyph in drawn) == letters


def test_everything_can_be_asked_in_both_languages(samples: list[Sample]) -> None:
    for sample in samples:
        english = [qa.kind for qa in sample.english]
        assert english == [qa.kind for qa in sample.chinese]


def test_the_difference_of_a_chart_is_that_of_its_values() -> None:
    rng = random.Random(1)
    for _ in range(10):
        for qa in DRAWING.draw(rng, "chart").chinese:
            if qa.kind == "chart difference":
                spans = [piece.text for piece in qa.answer if isinstance(piece, Span)]
                figures = [int(text) for text in spans if text.isdigit() and int(text) < 1000]  # years are labels
                (gap,) = (piece.text for piece in qa.answer if isinstance(piece, Computed))
                assert abs(figures[0] - figures[1]) == int(gap)


def test_photographs_are_refused_in_the_language_of_the_question() -> None:
    sample = DRAWING.draw(random.Random(2), "photograph")
    assert {qa.text for qa in sample.english} == {PHRASES["photograph"]["say"]}
    assert {qa.text for qa in sample.chinese} == {PHRASES["photograph"]["say_zh"]}


def test_the_second_picture_is_meant_by_a_question_that_names_none() -> None:
    turns = conversations.one_after_the_other(random.Random(4), DRAWING, ("invoice", "invoice"))
    second = next(i for i, turn in enumerate(turns) if i and turn.pictures)
    quoted = [piece for piece in turns[second].qa.answer if isinstance(piece, Span)]
    assert all(span.picture is turns[second].pictures[0] for span in quoted)


def test_no_font_and_no_listed_word_is_in_training_and_evaluation() -> None:
    assert not set(fonts.LATIN + fonts.CHINESE) & set(fonts.HELD_OUT_LATIN + fonts.HELD_OUT_CHINESE)
    rng = random.Random(0)
    sides = [{words.Lexicon(held_out).pick(rng, "name_starts") for _ in range(500)} for held_out in (False, True)]
    assert sides[0] and sides[1] and not sides[0] & sides[1]


def test_every_chinese_character_of_phrases_and_words_is_one_token() -> None:
    known = set(tokenizer.characters())
    said = f"{PHRASES} {words.WORDS}"
    assert {c for c in said if "\u4e00" <= c <= "\u9fff"} <= known


def test_edits_and_overlaps_are_counted() -> None:
    assert distance("kitten", "sitting") == 3
    assert overlap([0, 0, 10, 10], [0, 5, 10, 15]) == pytest.approx(1 / 3)
    assert overlap([0, 0, 10, 10], [20, 20, 30, 30]) == 0.0


@pytest.mark.parametrize("chinese", [False, True])
def test_of_the_shapes_that_are_named_those_are_counted_that_were_asked_for(chinese: bool) -> None:
    rng = random.Random(6)
    samples = [DRAWING.draw(rng, "shapes") for _ in range(12)]
    english = [*shapes.COLOURS, *shapes.KINDS]
    native = [*(name for name, _ in shapes.COLOURS.values()), *shapes.KINDS.values()]
    for qa in (e for sample in samples for e in sample.questions(chinese) if e.kind == "shape count"):
        named = [piece.text for piece in qa.answer if isinstance(piece, ObjectName)]
        assert re.findall(r"(\d)\.", qa.text) == [str(number + 1) for number in range(len(named))]
        asked = [word for word in (native if chinese else english) if word in qa.question]
        (found,) = (piece.text for piece in qa.answer if isinstance(piece, Computed))
        count = shapes.NUMBERS_ZH.index(found) if chinese else int(found)
        assert count == sum(all(word in name for word in asked) for name in named)


@pytest.mark.parametrize("face", fonts.CHINESE, ids=str)
def test_what_a_face_lacks_is_set_in_another(face: fonts.Face) -> None:
    text = "¥8,600.00 编号: 不锈钢机身 Gold"
    pieces = list(fonts.runs(face, text))
    assert "".join(piece for _, piece in pieces) == text
    assert all(fonts.has(own, character) for own, piece in pieces for character in piece)


def test_fields_that_are_asked_for_and_missing_are_not_on_the_invoice() -> None:
    rng = random.Random(5)
    samples = [Drawing(320, 96, fonts.TRAINING, words.Lexicon(held_out=False)).draw(rng, "invoice") for _ in range(8)]
    for sample in samples:
        missing = [qa.text for qa in sample.english if qa.kind == "missing"]
        assert len(missing) == len(set(missing)) == min(3, 6 - len(sample.fields)) > 0
        for name in sample.fields:
            assert f"I see no {invoices.FIELDS[name].name} in the picture." not in missing
