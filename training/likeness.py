"""Which Chinese characters look alike: those a reader of unknown faces takes for each other."""

import functools
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from training import fonts, tokenizer

FACES = fonts.SPARES  # they have every character
SIZE = 28  # pixels per em
SIDE = 36
BLUR = 1.4  # pixels: what print of 18 pixels loses
NEAREST = 8


def like(character: str) -> Sequence[str]:
    """The characters most like it, the nearest first."""
    return neighbours()[character]


@functools.cache
def neighbours() -> dict[str, Sequence[str]]:
    characters = tokenizer.characters()
    alike = np.sum([likeness(face, characters) for face in FACES], axis=0)
    np.fill_diagonal(alike, -np.inf)
    nearest = np.argsort(-alike, axis=1)[:, :NEAREST]
    return {c: [characters[i] for i in row] for c, row in zip(characters, nearest, strict=True)}


def likeness(face: fonts.Face, characters: Sequence[str]) -> np.ndarray:
    """How alike each two of them are, drawn one over the other and blurred: (characters, characters), at most 1."""
    font = fonts.load(face, SIZE)
    rows = []
    for character in characters:
        drawn = Image.new("L", (SIDE, SIDE))
        ImageDraw.Draw(drawn).text((SIDE / 2, SIDE / 2), character, font=font, fill=255, anchor="mm")
        rows.append(np.asarray(drawn.filter(ImageFilter.GaussianBlur(BLUR)), np.float32).ravel())
    drawings = np.stack(rows)
    drawings -= drawings.mean(1, keepdims=True)
    drawings /= np.linalg.norm(drawings, axis=1, keepdims=True)
    product: np.ndarray = drawings @ drawings.T
    return product
