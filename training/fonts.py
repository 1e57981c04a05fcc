"""The fonts of the pictures; a few are for the evaluation only."""

import functools
import itertools
import random
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import ImageFont

DIRECTORY = Path("/usr/share/fonts")
NOWHERE = "\U0010fffd"  # a character that no face has


@dataclass(frozen=True, slots=True)
class Face:
    """One face of a font file; collections (.ttc) hold several, told apart by `index`."""

    path: str
    index: int = 0


LISTS = tomllib.loads(Path(__file__).with_name("fonts.toml").read_text("utf-8"))
LATIN, CHINESE, HELD_OUT_LATIN, HELD_OUT_CHINESE = (
    tuple(Face(name.partition("#")[0], int(name.partition("#")[2] or 0)) for name in names) for names in LISTS.values()
)
FALLBACKS = CHINESE[0], CHINESE[3]  # have what others lack: Latin letters, or the characters of Chinese alone


@dataclass(frozen=True, slots=True)
class FontSet:
    """The faces of which a picture takes one. Text with any Chinese in it is set in a Chinese face throughout."""

    latin: Sequence[Face]
    chinese: Sequence[Face]

    def pick(self, rng: random.Random, chinese: bool) -> Face:
        # Chinese faces also carry Latin letters, and screenshots use them so.
        return rng.choice(self.chinese if chinese or rng.random() < 0.15 else self.latin)


TRAINING = FontSet(LATIN, CHINESE)
HELD_OUT = FontSet(HELD_OUT_LATIN, HELD_OUT_CHINESE)


@functools.lru_cache(maxsize=4096)
def load(face: Face, size: int) -> ImageFont.FreeTypeFont:
    """Load the face at `size` pixels per em, without ligatures, so that every character has its own advance."""
    return ImageFont.truetype(str(DIRECTORY / face.path), size, face.index, layout_engine=ImageFont.Layout.BASIC)


@functools.lru_cache(maxsize=200_000)
def has(face: Face, character: str) -> bool:
    """Return whether the face draws this character, and no empty box."""
    font = load(face, 16)
    return character.isspace() or bytes(font.getmask(character)) not in (b"", bytes(font.getmask(NOWHERE)))


def runs(face: Face, text: str) -> Iterator[tuple[Face, str]]:
    """Split the text into pieces of one face each: another face draws the characters that a face lacks."""
    fallback = FALLBACKS[len(face.path) % 2]  # always the same for a face, and not the same for all
    for known, characters in itertools.groupby(text, lambda character: has(face, character)):
        yield face if known else fallback, "".join(characters)
