"""What the tokens of a conversation do in counting."""

import random

import pytest
import torch

from training import fonts, lists, shapes, tokenizer, words
from training.batches import Writer
from training.conversations import Desk, about_one
from training.lists import Role


@pytest.fixture(scope="module")
def writer() -> Writer:
    return Writer(tokenizer.load())


def spelled(writer: Writer, ids: torch.Tensor) -> str:
    return str(writer.tokenizer.decode(ids.tolist()))


def test_each_count_is_the_number_of_matches_before_it(writer: Writer) -> None:
    rng = random.Random(3)
    written = lists.write(writer, [lists.in_words(rng) for _ in range(40)])
    assert len(written.counts)
    ids = written.lessons.ids
    for row, token, matches in written.counts.tolist():
        answer = spelled(writer, ids[row, : token + 1]).rpartition("assistant\n")[2]
        named = len(answer.split(", ")) if answer.isascii() else answer.count(".")
        said = spelled(writer, ids[row, token + 1 : token + 2])
        number = int(said) if said.isdigit() else "零一两三四五".index(said)
        assert number == (matches or named)
        assert written.roles[row, token] == Role.COUNT


def test_a_name_is_compared_at_the_letter_that_decides(writer: Writer) -> None:
    rng = random.Random(4)
    written = lists.write(writer, [lists.in_words(rng) for _ in range(40)])
    ends = {spelled(writer, written.lessons.ids[row, token : token + 1]) for row, token, _ in written.compared.tolist()}
    english = {name[-1] for name in (*shapes.COLOURS, *shapes.KINDS)}
    assert ends == english | {name[0] for name, _ in shapes.COLOURS.values()} | {
        name[-1] for name in shapes.KINDS.values()
    }
    so = written.compared[written.compared[:, 2] > 0]
    assert (written.roles[so[:, 0], so[:, 1]] == Role.MATCH).all()
    assert (written.roles == Role.MATCH).sum() == len(so)


def test_nothing_is_compared_where_nothing_is_counted(writer: Writer) -> None:
    desk = Desk(256, 192, fonts.TRAINING, words.Lexicon(False))
    written = lists.write(writer, [about_one(random.Random(5), desk, "invoice")])
    assert not len(written.compared)
    assert not len(written.counts)
    assert set(written.roles.flatten().tolist()) == {Role.NONE, Role.OPENING}
    answers = int(written.turns.max()) + 1
    assert (written.roles == Role.OPENING).sum() == 4 * answers
