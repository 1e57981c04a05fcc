"""Pages crammed with print, for teaching the vision tower its letters; nobody asks questions about them."""

import random

from training import fonts, words
from training.pictures import Picture, canvas, ink_and_paper

SIZES = ((128, 128), (160, 96), (192, 96), (96, 96), (256, 64))


def page(rng: random.Random, width: int, height: int, shelf: fonts.Shelf, lexicon: words.Lexicon) -> Picture:
    ink, paper = ink_and_paper(rng)
    picture = canvas(rng, width, height, paper)
    y = rng.uniform(0, 12)
    while y < height - 14:
        size = rng.choice((rng.randint(17, 22), rng.randint(17, 27)))
        chinese = rng.random() < 0.65  # there is far more to learn
        face = shelf.pick(rng, chinese)
        x = rng.uniform(0, 16)
        while x < width - size:
            text = words.printed_line(rng, chinese, lexicon)
            while text and picture.measure(text, face, size) > width - x:
                text = text[:-1]
            x = picture.write(x, y, text, face, size, ink).box[2] + size * rng.uniform(0.3, 1.0)
        y += size * rng.uniform(1.05, 1.5)
    return picture.finish(rng)
