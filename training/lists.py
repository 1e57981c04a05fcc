"""Conversations in which shapes are counted, and what their tokens do in it: what the counting layers are taught by."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from training import conversations, fonts, shapes, words
from training.batches import Lessons, Writer
from training.conversations import Desk, Turn
from training.pictures import Picture

SIZES = ((256, 160), (256, 192), (320, 192), (320, 256), (384, 256))
OTHERS = ("notice", "notice", "invoice", "invoice", "product", "chart", "photograph", "photograph", "photograph")


class Role(IntEnum):
    """What a token does in counting."""

    NONE = 0
    MATCH = 1  # with it can be told that the name just written is of what is counted
    OPENING = 2  # a letter of "assistant": with the others of its turn it weighs as much as four matches
    COUNT = 3  # the count is written next


OPENING = slice(2, 6)  # letters, counted from the special token that opens an answer


@dataclass(frozen=True, slots=True)
class Lists:
    """Conversations of which some count shapes; `length` is that of the longest."""

    lessons: Lessons
    real: Tensor  # (conversations, length) bool: not padding
    asked: Tensor  # (conversations, length) bool: in a question
    compared: Tensor  # (n, 3): conversation, token, whether it is counted
    counts: Tensor  # (n, 3): conversation, token, how many of the names before it in its answer are counted
    roles: Tensor  # (conversations, length)
    turns: Tensor  # (conversations, length)


def write(writer: Writer, talks: Sequence[Sequence[Turn]]) -> Lists:
    scripts = [writer.write(turns) for turns in talks]
    lessons = writer.lessons(scripts)
    start = writer.special("<|im_start|>")
    asked = torch.zeros(lessons.ids.shape, dtype=torch.bool)
    roles = torch.zeros(lessons.ids.shape, dtype=torch.long)
    compared: list[tuple[int, int, int]] = []
    counts: list[tuple[int, int, int]] = []
    for row, script in enumerate(scripts):
        for begin, end in script.asked:
            asked[row, begin:end] = True
        compared += [(row, token, so) for token, so in script.compared]
        roles[row, [token for token, so in script.compared if so]] = Role.MATCH
        for opened in (lessons.ids[row] == start).nonzero()[1::2, 0].tolist():
            roles[row, opened + OPENING.start : opened + OPENING.stop] = Role.OPENING
        roles[row, script.counts] = Role.COUNT
        for number, token in enumerate(script.counts):
            behind = script.counts[number - 1] if number else 0
            counts.append((row, token, sum(so for at, so in script.compared if behind < at < token)))
    return Lists(
        lessons,
        lessons.ids != writer.padding,
        asked,
        torch.tensor(compared, dtype=torch.long).view(-1, 3),
        torch.tensor(counts, dtype=torch.long).view(-1, 3),
        roles,
        ((lessons.ids == start).cumsum(1) - 1) // 2,
    )


def in_words(rng: random.Random, most: int = 5) -> list[Turn]:
    """Up to `most` questions about the same few shapes, without a picture of them."""
    kinds = rng.sample(list(shapes.KINDS), rng.randint(1, 4))
    colours = rng.sample(list(shapes.COLOURS), rng.randint(1, 5))
    paper = Picture(1, 1, (255, 255, 255))
    here = (0, 0, 1, 1)
    drawn = [shapes.Shape(rng.choice(kinds), rng.choice(colours), here) for _ in range(rng.randint(1, 5))]
    chinese = rng.random() < 0.5
    turns = []
    for _ in range(rng.randint(1, most)):
        tell = shapes.chinese if chinese == (rng.random() < 0.9) else shapes.english
        exchanges = [e for e in tell(rng, paper, drawn) if e.kind in ("shape count", "shape colour")]
        turns.append(Turn((), rng.choice(exchanges[1:3] * 3 + exchanges)))
    return turns


def alike(rng: random.Random, count: int) -> list[list[Turn]]:
    """Conversations in words alone, of about one length."""
    drawn = sorted(
        (in_words(rng) for _ in range(4 * count)), key=lambda turns: sum(len(t.exchange.text) for t in turns)
    )
    first = rng.randrange(4) * count
    return drawn[first : first + count]


def pictured(rng: random.Random, lexicon: words.Lexicon, kind: str, count: int) -> list[list[Turn]]:
    desk = Desk(*rng.choice(SIZES), fonts.TRAINING, lexicon)
    return [conversations.about_one(rng, desk, kind) for _ in range(count)]
