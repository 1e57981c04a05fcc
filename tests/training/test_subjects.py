"""The true answers are true, and everything asked can be read off the picture."""

import random
import re

import numpy as np
import pytest

from training import conversations, fonts, invoices, photographs, shapes, sums, tokenizer, words
from training.conversations import DRAW, Desk
from training.evaluate import distance, overlap
from training.pictures import Picture, Span
from training.subject import Named, Result, Subject

DESK = Desk(320, 224, fonts.TRAINING, words.Lexicon(held_out=False))


@pytest.fixture(scope="module", params=list(DRAW))
def subjects(request: pytest.FixtureRequest) -> list[Subject]:
    rng = random.Random(f"subjects {request.param}")
    return [DESK.draw(rng, request.param) for _ in range(6)]


def test_quoted_text_stands_on_the_picture(subjects: list[Subject]) -> None:
    for subject in subjects:
        for exchange in [*subject.english, *subject.chinese]:
            for span in (piece for piece in exchange.answer if isinstance(piece, Span)):
                letters = "".join(span.text.split())
                drawn = subject.picture.glyphs[span.first : span.first + len(letters)]
                assert "".join(glyph.character for glyph in drawn) == letters


def test_everything_can_be_asked_in_both_languages(subjects: list[Subject]) -> None:
    for subject in subjects:
        english = [exchange.kind for exchange in subject.english]
        assert english == [exchange.kind for exchange in subject.chinese]


def test_the_difference_of_a_chart_is_that_of_its_values() -> None:
    rng = random.Random(1)
    for _ in range(10):
        for exchange in DESK.draw(rng, "chart").chinese:
            if exchange.kind == "chart difference":
                spans = [piece.text for piece in exchange.answer if isinstance(piece, Span)]
                figures = [int(text) for text in spans if text.isdigit() and int(text) < 1000]  # years are labels
                (gap,) = (piece.text for piece in exchange.answer if isinstance(piece, Result))
                assert abs(figures[0] - figures[1]) == int(gap)


def test_photographs_are_refused_in_the_language_of_the_question() -> None:
    subject = DESK.draw(random.Random(2), "photograph")
    assert {exchange.text for exchange in subject.english} == {photographs.REFUSAL}
    assert {exchange.text for exchange in subject.chinese} == {photographs.REFUSAL_ZH}


def test_the_second_picture_is_meant_by_a_question_that_names_none() -> None:
    turns = conversations.one_after_the_other(random.Random(4), DESK, ("invoice", "invoice"))
    second = next(i for i, turn in enumerate(turns) if i and turn.pictures)
    quoted = [piece for piece in turns[second].exchange.answer if isinstance(piece, Span)]
    assert all(span.picture is turns[second].pictures[0] for span in quoted)


def test_no_font_and_no_listed_word_is_in_training_and_evaluation() -> None:
    assert not set(fonts.LATIN + fonts.CHINESE) & set(fonts.HELD_OUT_LATIN + fonts.HELD_OUT_CHINESE)
    rng = random.Random(0)
    sides = [{words.Lexicon(held_out).pick(rng, words.NAME_STARTS) for _ in range(500)} for held_out in (False, True)]
    assert sides[0] and sides[1] and not sides[0] & sides[1]


def test_every_chinese_character_of_the_word_lists_is_one_token() -> None:
    known = set(tokenizer.characters())
    lists = (words.PLACES, words.TRADES, words.COMPANY_FORMS, words.GOODS_ZH, words.POINTS_ZH, words.PLAIN_ZH)
    labels = [label for field in invoices.FIELDS.values() for label in (*field.labels_zh, field.name_zh)]
    said = "".join("".join(entries) for entries in lists) + "".join(labels) + photographs.REFUSAL_ZH
    assert {c for c in said if "\u4e00" <= c <= "\u9fff"} <= known


def test_edits_and_overlaps_are_counted() -> None:
    assert distance("kitten", "sitting") == 3
    assert overlap([0, 0, 10, 10], [0, 5, 10, 15]) == pytest.approx(1 / 3)
    assert overlap([0, 0, 10, 10], [20, 20, 30, 30]) == 0.0


def test_the_results_of_sums_are_true() -> None:
    rng = random.Random(2)
    for each in (each for _ in range(20) for each in sums.some(rng)):
        if each.kind == "shape count":
            continue  # counted by the code that answers about pictures of them
        (result,) = (piece.text for piece in each.answer if isinstance(piece, Result))
        said, _, written = each.text.partition("相差" if "相差" in each.text else "the difference is ")
        told = re.findall(r"(?:is |: |为|：|(?<!，)是)([$€£¥]?[\d,.]*\d)", said)
        first, second = (sums.worth(figure) for figure in told[:2])
        found = float(result.strip("。.").removesuffix("更高").removesuffix(" is higher").rpartition("=")[2])
        if each.kind == "comparison":
            assert found == (1 if first > second else 2)
        else:
            assert found == abs(first - second)
            more, less = max(first, second), min(first, second)
            assert written.replace(" ", "").strip("。.") == f"{more:.0f}-{less:.0f}={found:.0f}"


@pytest.mark.parametrize("chinese", [False, True])
def test_of_the_shapes_that_are_named_those_are_counted_that_were_asked_for(chinese: bool) -> None:
    rng = random.Random(6)
    subjects = [DESK.draw(rng, "shapes") for _ in range(12)]
    english = [*shapes.COLOURS, *shapes.KINDS]
    native = [*(name for name, _ in shapes.COLOURS.values()), *shapes.KINDS.values()]
    for exchange in (e for subject in subjects for e in subject.exchanges(chinese) if e.kind == "shape count"):
        named = [piece.text for piece in exchange.answer if isinstance(piece, Named)]
        assert re.findall(r"(\d)\.", exchange.text) == [str(number + 1) for number in range(len(named))]
        asked = [word for word in (native if chinese else english) if word in exchange.question]
        (found,) = (piece.text for piece in exchange.answer if isinstance(piece, Result))
        count = shapes.NUMBERS_ZH.index(found) if chinese else int(found)
        assert count == sum(all(word in name for word in asked) for name in named)


@pytest.mark.parametrize("face", fonts.CHINESE, ids=str)
def test_what_a_face_lacks_is_set_in_another(face: fonts.Face) -> None:
    text = "¥8,600.00 编号: 不锈钢机身 Gold"
    pieces = list(fonts.runs(face, text))
    assert "".join(piece for _, piece in pieces) == text
    assert all(fonts.has(own, character) for own, piece in pieces for character in piece)


def test_a_tilted_picture_knows_where_its_letters_went() -> None:
    picture = Picture(256, 96, (255, 255, 255), scale=1.3, stretch=0.9)
    for y in (4, 70):
        picture.write(4, y, "HHHHHHHHHHHHH", fonts.LATIN[0], 20, (0, 0, 0))
    before = list(picture.glyphs)
    picture.tilt(4.0)
    shown = np.asarray(picture.finish(random.Random(0)).image)
    for glyph, old in zip(picture.glyphs, before, strict=True):
        assert (glyph.x, glyph.y) != (old.x, old.y)
        x, y = round(glyph.x), round(glyph.y)  # the bar of an H goes through its middle
        assert shown[y - 2 : y + 3, x - 1 : x + 2].min() < 100


def test_fields_that_are_asked_for_and_missing_are_not_on_the_invoice() -> None:
    rng = random.Random(5)
    subjects = [Desk(320, 96, fonts.TRAINING, words.Lexicon(held_out=False)).draw(rng, "invoice") for _ in range(8)]
    for subject in subjects:
        missing = [exchange.text for exchange in subject.english if exchange.kind == "missing"]
        assert len(missing) == len(set(missing)) == min(3, 6 - len(subject.fields)) > 0
        for name in subject.fields:
            assert f"I see no {invoices.FIELDS[name].name} in the picture." not in missing
