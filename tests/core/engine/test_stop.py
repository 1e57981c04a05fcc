"""Texts that end an answer, wherever the borders of its pieces are."""

import itertools

import pytest

from core.engine.stop import StopTexts


def said(stop: StopTexts, pieces: list[str]) -> list[str]:
    return [*(stop.add(piece) for piece in pieces), stop.finish()]


@pytest.mark.parametrize("borders", list(itertools.combinations(range(1, 12), 2)))
def test_a_text_is_found_across_borders_and_nothing_of_it_is_shown(borders: tuple[int, int]) -> None:
    first, second = borders
    text = "one END two "
    stop = StopTexts(["END", "never"])
    pieces = said(stop, [text[:first], text[first:second], text[second:]])
    assert "".join(pieces) == "one "
    assert stop.found


def test_what_only_begins_like_one_is_shown_in_the_end() -> None:
    stop = StopTexts(["ENDING"])
    assert said(stop, ["an EN", "D", "DIN"]) == ["an ", "", "ENDDIN", ""]
    assert said(StopTexts(["ENDING"]), ["an END"]) == ["an ", "END"]
    assert not stop.found


def test_the_first_in_the_answer_counts_and_not_the_first_named() -> None:
    stop = StopTexts(["b", "a", ""])
    assert said(stop, ["xayb"]) == ["x", ""]


def test_without_texts_nothing_is_held_back() -> None:
    assert said(StopTexts([]), ["a", ""]) == ["a", "", ""]
