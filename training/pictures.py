"""A picture that is being drawn. It knows where every character stands, and not what the text means."""

import dataclasses
import functools
import io
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from training import fonts

Colour = tuple[int, int, int]
Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels


@dataclass(frozen=True, slots=True)
class Glyph:
    """A drawn character and the centre of the cell it stands in, in pixels.

    A character that stands for a drawn object says in which `cell` of the token it is to be read.
    """

    character: str
    x: float
    y: float
    cell: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """A piece of text on a picture: an answer that quotes it says where it was read."""

    picture: "Picture"
    text: str
    box: Box
    first: int  # index of its first glyph; spaces have none

    def without_last(self) -> "Span":
        """Return the span without its last character, a colon for example."""
        return dataclasses.replace(self, text=self.text[:-1])


@dataclass(slots=True, eq=False)
class Picture:
    """An RGB canvas with the glyphs drawn on it.

    Coordinates are those of the finished picture. The canvas is `scale` times as large, and `stretch` times wider than
    that, and is resized at the end: screenshots and photos reach a model resized, seldom pixel by pixel. Stretched and
    with bolder strokes, a few fonts look like many.
    """

    width: int
    height: int
    paper: Colour
    scale: float = 1.0
    stretch: float = 1.0
    stroke: float = 0.0  # added around every letter, in pixels
    image: Image.Image = field(init=False)
    glyphs: list[Glyph] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.image = Image.new("RGB", (round(self.width * self.across), round(self.height * self.scale)), self.paper)

    @property
    def across(self) -> float:
        """Return the pixels of the canvas for one pixel of the finished picture, from left to right."""
        return self.scale * self.stretch

    def write(self, x: float, y: float, text: str, face: fonts.Face, size: float, colour: Colour) -> Span:
        """Write one line, `size` pixels high, with its top left corner at (x, y)."""
        pixels = round(size * self.scale)
        font = fonts.load(face, pixels)
        ascent, descent = font.getmetrics()
        # Fonts differ much in ascent; the em box keeps lines where the layout put them.
        top = y * self.scale - (ascent + descent - pixels) / 2
        pen = ImageDraw.Draw(self.image)
        along, baseline, fat = x * self.across, top + ascent, self.stroke * self.scale
        for own, run in fonts.runs(face, text):
            pen.text((along, baseline), run, font=fonts.load(own, pixels), fill=colour, stroke_width=fat, anchor="ls")
            along += sum(advance(face, pixels, character) for character in run)
        first, left = len(self.glyphs), x
        middle = (top + ascent - 0.36 * pixels) / self.scale  # half the height of a capital above the baseline
        for character in text:
            right = left + advance(face, pixels, character) / self.across
            if not character.isspace():
                self.glyphs.append(Glyph(character, (left + right) / 2, middle))
            left = right
        return Span(self, text, (x, y, left, y + size), first)

    def measure(self, text: str, face: fonts.Face, size: float) -> float:
        pixels = round(size * self.scale)
        return sum(advance(face, pixels, character) for character in text) / self.across

    def cut(self, text: str, face: fonts.Face, size: float, room: float) -> str:
        """Return as much of the text as fits."""
        while len(text) > 1 and self.measure(text, face, size) > room:
            text = text[:-1].rstrip()
        return text

    def fitting(self, make: Callable[[], str], face: fonts.Face, size: float, room: float) -> str:
        """Make texts until one is short enough; cut the last of twenty."""
        for _ in range(20):
            if self.measure(text := make(), face, size) < room:
                break
        return self.cut(text, face, size, room)

    def rectangle(self, box: Box, fill: Colour | None, outline: Colour | None = None, radius: float = 0) -> None:
        pen = ImageDraw.Draw(self.image)
        pen.rounded_rectangle(self._on_canvas(box), radius * self.scale, fill, outline)

    def ellipse(self, box: Box, fill: Colour) -> None:
        ImageDraw.Draw(self.image).ellipse(self._on_canvas(box), fill)

    def polygon(self, corners: Sequence[Point], fill: Colour) -> None:
        ImageDraw.Draw(self.image).polygon([(x * self.across, y * self.scale) for x, y in corners], fill)

    def line(self, start: Point, end: Point, colour: Colour, width: float = 1) -> None:
        ImageDraw.Draw(self.image).line(self._on_canvas((*start, *end)), colour, max(1, round(width * self.scale)))

    def _on_canvas(self, box: Box) -> Box:
        left, top, right, bottom = box
        return left * self.across, top * self.scale, right * self.across, bottom * self.scale

    def finish(self, rng: random.Random) -> "Picture":
        """Resize it to its size, and now and then blur it, compress it or add noise, as cameras and messengers do."""
        if self.image.size != (self.width, self.height):
            self.image = self.image.resize((self.width, self.height), Image.Resampling.BICUBIC)
        if rng.random() < 0.15:
            self.image = self.image.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.7)))
        if rng.random() < 0.2:
            buffer = io.BytesIO()
            self.image.save(buffer, "JPEG", quality=rng.randint(50, 92))
            self.image = Image.open(buffer).convert("RGB")
        if rng.random() < 0.15:
            grain = np.random.default_rng(rng.getrandbits(32)).normal(
                0, rng.uniform(1, 8), (self.height, self.width, 1)
            )
            self.image = Image.fromarray((np.asarray(self.image) + grain).clip(0, 255).astype(np.uint8))
        return self


@functools.lru_cache(maxsize=1_000_000)
def advance(face: fonts.Face, size: int, character: str) -> float:
    """Return the pixels from one character to the next, without kerning, which would cost half the drawing time."""
    return sum(fonts.load(own, size).getlength(run) for own, run in fonts.runs(face, character))


def canvas(rng: random.Random, width: int, height: int, paper: Colour) -> Picture:
    """Return an empty picture that is drawn a little larger or smaller, wider, narrower or bolder than it will be."""
    scale = rng.uniform(0.75, 1.35) if rng.random() < 0.35 else 1.0
    stretch = rng.uniform(0.85, 1.15) if rng.random() < 0.5 else 1.0
    stroke = rng.uniform(0.1, 0.5) if rng.random() < 0.25 else 0.0
    return Picture(width, height, paper, scale, stretch, stroke)


def random_zoom(rng: random.Random, width: int) -> float:
    """Return how much larger than usual the print is: people zoom into screenshots, and take photos from nearby."""
    return rng.uniform(1.1, width / 200) if width >= 300 and rng.random() < 0.25 else 1.0


def ink_and_paper(rng: random.Random) -> tuple[Colour, Colour]:
    """Return a text colour and a background on which it is legible; mostly dark on light."""
    if rng.random() < 0.5:
        return (rng.randint(0, 40),) * 3, (rng.randint(245, 255),) * 3
    pale = (rng.randint(215, 255), rng.randint(215, 255), rng.randint(215, 255))
    deep = (rng.randint(0, 90), rng.randint(0, 90), rng.randint(0, 90))
    return (pale, deep) if rng.random() < 0.15 else (deep, pale)
