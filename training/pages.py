"""Pages crammed with print, for teaching the vision tower its letters; nobody asks questions about them."""

import random
from collections.abc import Iterator

from torch.utils.data import IterableDataset, get_worker_info

from training import fonts, words
from training.batches import Prints, crop, prints
from training.conversations import Desk
from training.pictures import Picture, canvas, ink_and_paper

SIZES = ((128, 128), (160, 96), (192, 96), (96, 96), (256, 64))


def page(rng: random.Random, width: int, height: int, shelf: fonts.Shelf, lexicon: words.Lexicon) -> Picture:
    ink, paper = ink_and_paper(rng)
    picture = canvas(rng, width, height, paper)
    y = rng.uniform(0, 12)
    while y < height - 14:
        largest = min(height - y + 3, rng.choice((22, 27, 34, 44)))
        size = rng.randint(17, max(17, int(largest)))
        chinese = rng.random() < 0.72  # there is far more to learn
        face = shelf.pick(rng, chinese)
        x = rng.uniform(0, 16)
        while x < width - size:
            strange = chinese and rng.random() < 0.6
            text = words.look_alikes(rng, rng.randint(1, 6)) if strange else words.printed_line(rng, chinese, lexicon)
            while text and picture.measure(text, face, size) > width - x:
                text = text[:-1]
            x = picture.write(x, y, text, face, size, ink).box[2] + size * rng.uniform(0.3, 1.0)
        y += size * rng.uniform(1.05, 1.5)
    if rng.random() < 0.2:
        picture.tilt(rng.uniform(-3, 3))
    return picture.finish(rng)


DOCUMENTS = ((256, 96), (256, 160), (256, 192), (320, 192), (320, 256))
KINDS = ("invoice", "invoice", "product", "chart", "notice")


class Pages(IterableDataset[Prints]):
    """Crammed pages, and among them what questions will be asked about: there the letters have other surroundings."""

    def __init__(self, ids: dict[str, int], count: int, seed: int) -> None:
        self.ids, self.count, self.seed = ids, count, seed

    def __iter__(self) -> Iterator[Prints]:
        worker = get_worker_info()
        rng = random.Random(f"pages {self.seed} {worker.id if worker else 0}")
        lexicon = words.Lexicon(held_out=False)
        while True:
            crammed = rng.random() < 0.4
            width, height = rng.choice(SIZES if crammed else DOCUMENTS)
            count = max(1, self.count * 128 * 128 // (width * height))
            desk = Desk(width, height, fonts.TRAINING, lexicon)
            pictures = [
                page(rng, width, height, fonts.TRAINING, lexicon)
                if crammed
                else desk.draw(rng, rng.choice(KINDS)).picture
                for _ in range(count)
            ]
            yield prints([crop(picture) for picture in pictures], self.ids)
