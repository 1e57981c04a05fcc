"""Endless batches of drawn pictures, made in background processes; the same for the same seed.

Conversations come in an order: short notices first, then everything; small pictures before large.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from transformers import PreTrainedTokenizerBase

from training import fonts, model, words
from training.conversations import Drawing, Turn, about_one, one_after_the_other, side_by_side
from training.encoding import Batch, Encoded, Encoder, ImageBatch, image_batch, resized, unresized
from training.pictures import Picture, canvas, ink_and_paper

T = TypeVar("T")
PAGE_SIZES = ((128, 128), (160, 96), (192, 96), (96, 96), (256, 64))
DOCUMENT_SIZES = ((256, 96), (256, 160), (256, 192), (320, 192), (320, 256))
DOCUMENT_KINDS = ("invoice", "invoice", "product", "chart", "notice")
# A third as many tokens of crammed pages go with every batch of conversations: the tower goes on learning letters that
# conversations seldom show.
PAGE_SHARE = 1 / 3
BATCHES_PER_SIZE = 6  # drawn together, so that conversations of about the same length come into one batch


@dataclass(frozen=True, slots=True)
class Stage:
    """What is practised until a share of the training is done."""

    until: float
    sizes: tuple[tuple[int, int], ...]
    kinds: dict[str, float]
    pairs: float  # share of the batches in which conversations have two pictures


CURRICULUM = (
    Stage(0.12, ((192, 64), (256, 64), (192, 96)), {"notice": 0.6, "invoice": 0.4}, 0.0),
    Stage(
        0.35,
        ((256, 96), (256, 128), (192, 160), (256, 160)),
        {"notice": 0.25, "invoice": 0.35, "chart": 0.22, "product": 0.1, "shapes": 0.04, "photograph": 0.04},
        0.06,
    ),
    Stage(
        1.0,
        ((256, 160), (256, 192), (320, 192), (256, 288), (320, 256), (384, 256), (448, 320), (384, 400)),
        {"invoice": 0.25, "product": 0.22, "chart": 0.13, "notice": 0.21, "shapes": 0.15, "photograph": 0.04},
        0.15,
    ),
)


def draw_page(rng: random.Random, width: int, height: int, lexicon: words.Lexicon) -> Picture:
    """Draw a page crammed with print, for the vision tower to learn letters from."""
    ink, paper = ink_and_paper(rng)
    picture = canvas(rng, width, height, paper)
    y = rng.uniform(0, 12)
    while y < height - 14:
        largest = min(height - y + 3, rng.choice((22, 27, 34, 44)))
        size = rng.randint(17, max(17, int(largest)))
        chinese = rng.random() < 0.72  # there is far more to learn
        face = fonts.TRAINING.pick(rng, chinese)
        x = rng.uniform(0, 16)
        while x < width - size:
            noise = chinese and rng.random() < 0.6
            text = words.noise_word(rng, True) if noise else words.printed_line(rng, chinese, lexicon)
            text = picture.cut(text, face, size, width - x)
            x = picture.write(x, y, text, face, size, ink).box[2] + size * rng.uniform(0.3, 1.0)
        y += size * rng.uniform(1.05, 1.5)
    return picture.finish(rng)


def background(dataset: IterableDataset[T], processes: int) -> Iterator[T]:
    return iter(DataLoader(dataset, batch_size=None, num_workers=processes, prefetch_factor=8 if processes else None))


def worker() -> tuple[int, int]:
    """Return the number of this drawing process, and of how many."""
    info = get_worker_info()
    return (info.id, info.num_workers) if info else (0, 1)


class Pages(IterableDataset[tuple[ImageBatch]]):
    """Crammed pages, and documents among them: there the letters have other surroundings."""

    def __init__(self, alphabet: dict[str, int], count: int, seed: int) -> None:
        self.alphabet, self.count, self.seed = alphabet, count, seed

    def __iter__(self) -> Iterator[tuple[ImageBatch]]:
        rng = random.Random(f"pages {self.seed} {worker()[0]}")
        lexicon = words.Lexicon(held_out=False)
        while True:
            crammed = rng.random() < 0.4
            width, height = rng.choice(PAGE_SIZES if crammed else DOCUMENT_SIZES)
            drawing = Drawing(width, height, fonts.TRAINING, lexicon)
            pictures = [
                draw_page(rng, width, height, lexicon)
                if crammed
                else drawing.draw(rng, rng.choice(DOCUMENT_KINDS)).picture
                for _ in range(max(1, self.count * 128 * 128 // (width * height)))
            ]
            yield (image_batch([unresized(picture) for picture in pictures], self.alphabet),)


class Conversations(IterableDataset[tuple[Batch, ImageBatch]]):
    """Batches of about `tokens` tokens each: conversations, and crammed pages.

    `done` (0 to 1) of the training is over, and each batch advances it by `pace`.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, tokens: int, seed: int, done: float, pace: float) -> None:
        self.encoder = Encoder(tokenizer)
        self.tokens, self.seed, self.done, self.pace = tokens, seed, done, pace

    def __iter__(self) -> Iterator[tuple[Batch, ImageBatch]]:
        number, workers = worker()
        rng = random.Random(f"conversations {self.seed} {self.done} {number}")
        lexicon = words.Lexicon(held_out=False)
        done = self.done
        while True:
            # One batch in twelve comes from a stage already passed, so that it is not forgotten.
            place = done if rng.random() < 0.92 else rng.uniform(0, min(done, 1.0))
            stage = next((stage for stage in CURRICULUM if place < stage.until), CURRICULUM[-1])
            enlarged = done >= CURRICULUM[-2].until  # small pictures come first because they are cheap
            for batch in self.batches(rng, stage, lexicon, enlarged):
                yield batch, self.pages(rng, lexicon)
                done += self.pace * workers

    def pages(self, rng: random.Random, lexicon: words.Lexicon) -> ImageBatch:
        width, height = rng.choice(PAGE_SIZES)
        count = max(1, round(PAGE_SHARE * self.tokens * model.PATCH**2 / (width * height)))
        grids = [unresized(draw_page(rng, width, height, lexicon)) for _ in range(count)]
        return image_batch(grids, self.encoder.alphabet)

    def batches(self, rng: random.Random, stage: Stage, lexicon: words.Lexicon, enlarged: bool) -> list[Batch]:
        """Return batches of pictures of one size, each of conversations of about one length: padding costs, too."""
        drawing = Drawing(*rng.choice(stage.sizes), fonts.TRAINING, lexicon)
        pairs = rng.random() < stage.pairs
        length = math.prod(model.token_grid(drawing.width, drawing.height)) * (2 if pairs else 1) + 250
        count = max(16, BATCHES_PER_SIZE * self.tokens // length)
        held = [conversation(rng, drawing, stage.kinds, pairs) for _ in range(count)]
        encoded = [self.encoder.encode(turns, resized if enlarged else unresized) for turns in held]
        encoded.sort(key=lambda each: len(each.ids))
        batches: list[list[Encoded]] = [[]]
        for each in encoded:
            if (len(batches[-1]) + 1) * len(each.ids) > self.tokens and batches[-1]:
                batches.append([])
            batches[-1].append(each)
        rng.shuffle(batches)
        return [self.encoder.batch(batch) for batch in batches]


def conversation(rng: random.Random, drawing: Drawing, kinds: dict[str, float], pair: bool) -> list[Turn]:
    def kind() -> str:
        return rng.choices(list(kinds), list(kinds.values()))[0]

    if not pair:
        return about_one(rng, drawing, kind())
    if rng.random() < 0.5:
        return one_after_the_other(rng, drawing, (kind(), kind()))
    chosen = kind()
    while chosen in ("photograph", "notice"):
        chosen = kind()
    return side_by_side(rng, drawing, chosen)
