"""The order in which conversations are practised: short notices first, then everything; small pictures before large."""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch.utils.data import IterableDataset, get_worker_info
from transformers import PreTrainedTokenizerBase

from training import fonts, model, pages, sums, words
from training.batches import Grid, Lessons, Prints, Script, Sums, Writer, crop, prints, whole
from training.conversations import Desk, Turn, about_one, one_after_the_other, side_by_side
from training.pictures import Picture


@dataclass(frozen=True, slots=True)
class Grade:
    """What is practised for a while."""

    until: float  # share of the course
    sizes: tuple[tuple[int, int], ...]
    kinds: dict[str, float]
    pairs: float  # share of the batches in which conversations have two pictures


GRADES = (
    Grade(0.12, ((192, 64), (256, 64), (192, 96)), {"notice": 0.6, "invoice": 0.4}, 0.0),
    Grade(
        0.35,
        ((256, 96), (256, 128), (192, 160), (256, 160)),
        {"notice": 0.25, "invoice": 0.35, "chart": 0.22, "product": 0.1, "shapes": 0.04, "photograph": 0.04},
        0.06,
    ),
    Grade(
        1.0,
        ((256, 160), (256, 192), (320, 192), (256, 288), (320, 256), (384, 256), (448, 320), (384, 400)),
        {"invoice": 0.25, "product": 0.22, "chart": 0.13, "notice": 0.21, "shapes": 0.15, "photograph": 0.04},
        0.15,
    ),
)


# Beside every batch stand crammed pages of a third of its tokens: the tower goes on learning letters that conversations
# seldom show.
PAGES = 1 / 3
SHELF = 6  # batches whose pictures have one size, so that conversations of like length find each other


class Course(IterableDataset[tuple[Lessons, Prints | None, Sums]]):
    """Endless batches for a course that is `done` (0 to 1) and advances by `pace` per batch and process.

    Crammed pages come beside them only if `crammed`: a tower that learns nothing needs none.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        tokens: int,
        sums: int,
        seed: int,
        done: float,
        pace: float,
        crammed: bool,
    ) -> None:
        self.writer = Writer(tokenizer)
        self.tokens, self.sums, self.seed, self.done, self.pace, self.crammed = tokens, sums, seed, done, pace, crammed

    def __iter__(self) -> Iterator[tuple[Lessons, Prints | None, Sums]]:
        worker = get_worker_info()
        rng = random.Random(f"course {self.seed} {self.done} {worker.id if worker else 0}")
        pace = self.pace * (worker.num_workers if worker else 1)
        lexicon = words.Lexicon(held_out=False)
        done = self.done
        while True:
            # One batch in twelve is taken from a grade already passed, lest it be forgotten.
            place = done if rng.random() < 0.92 else rng.uniform(0, min(done, 1.0))
            grade = next((g for g in GRADES if place < g.until), GRADES[-1])
            lay_out = whole if done >= GRADES[-2].until else crop  # small pictures come first since they are cheap
            for lessons in self.shelf(rng, grade, lexicon, lay_out):
                beside = self.cram(rng, lexicon) if self.crammed else None
                yield lessons, beside, self.writer.sums(sums.some(rng, max(2, self.sums)))
                done += pace

    def cram(self, rng: random.Random, lexicon: words.Lexicon) -> Prints:
        width, height = rng.choice(pages.SIZES)
        count = max(1, round(PAGES * self.tokens * model.TOKEN**2 / (width * height)))
        drawn = [pages.page(rng, width, height, fonts.TRAINING, lexicon) for _ in range(count)]
        return prints([crop(page) for page in drawn], self.writer.alphabet)

    def shelf(
        self, rng: random.Random, grade: Grade, lexicon: words.Lexicon, lay_out: Callable[[Picture], Grid]
    ) -> list[Lessons]:
        """A few batches of pictures of one size, each of conversations of about the same length: padding costs, too."""
        desk = Desk(*rng.choice(grade.sizes), fonts.TRAINING, lexicon)
        double = rng.random() < grade.pairs
        length = math.prod(model.grid(desk.width, desk.height)) * (2 if double else 1) + 250
        talks = [conversation(rng, desk, grade.kinds, double) for _ in range(max(16, SHELF * self.tokens // length))]
        scripts = [self.writer.write(talk, lay_out) for talk in talks]
        scripts.sort(key=lambda script: len(script.ids))
        batches: list[list[Script]] = [[]]
        for script in scripts:
            if (len(batches[-1]) + 1) * len(script.ids) > self.tokens and batches[-1]:
                batches.append([])
            batches[-1].append(script)
        rng.shuffle(batches)
        return [self.writer.lessons(batch) for batch in batches]


def conversation(rng: random.Random, desk: Desk, kinds: dict[str, float], double: bool) -> list[Turn]:
    def kind() -> str:
        return rng.choices(list(kinds), list(kinds.values()))[0]

    if not double:
        return about_one(rng, desk, kind())
    if rng.random() < 0.5:
        return one_after_the_other(rng, desk, (kind(), kind()))
    chosen = kind()
    while chosen in ("photograph", "notice"):
        chosen = kind()
    return side_by_side(rng, desk, chosen)
