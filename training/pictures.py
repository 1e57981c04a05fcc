"""A picture being drawn, which remembers where every character stands; it knows nothing of what the text means."""

import dataclasses
import functools
import io
import math
import random
from collections.abc import Sequence
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

    A sign that stands for something drawn says itself in which `cell` of the token there it is to be read.
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
        """The same without its last character, a colon say."""
        return dataclasses.replace(self, text=self.text[:-1])


@dataclass(slots=True, eq=False)
class Picture:
    """An RGB canvas with the glyphs drawn on it.

    Coordinates are those of the finished picture. It is drawn `scale` times as large, and `stretch` times wider than
    that, and resized at the end: screenshots and photos reach a model resized, seldom pixel by pixel. Stretched and
    with strokes a little fatter, a few fonts look like many.
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
        """Pixels of the canvas for one of the finished picture, from left to right."""
        return self.scale * self.stretch

    def write(self, x: float, y: float, text: str, face: fonts.Face, size: float, colour: Colour) -> Span:
        """Sets one line, `size` pixels high, with its top left corner at (x, y)."""
        pixels = round(size * self.scale)
        font = fonts.load(face, pixels)
        ascent, descent = font.getmetrics()
        # Fonts differ wildly in ascent; the em box keeps lines where the layout put them.
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

    def rectangle(self, box: Box, fill: Colour | None, outline: Colour | None = None, radius: float = 0) -> None:
        pen = ImageDraw.Draw(self.image)
        pen.rounded_rectangle(self._on_canvas(box), radius * self.scale, fill, outline)

    def ellipse(self, box: Box, fill: Colour) -> None:
        ImageDraw.Draw(self.image).ellipse(self._on_canvas(box), fill)

    def polygon(self, corners: Sequence[Point], fill: Colour) -> None:
        ImageDraw.Draw(self.image).polygon([(x * self.across, y * self.scale) for x, y in corners], fill)

    def line(self, start: Point, end: Point, colour: Colour, width: float = 1) -> None:
        ends = [(x * self.across, y * self.scale) for x, y in (start, end)]
        ImageDraw.Draw(self.image).line(ends, colour, max(1, round(width * self.scale)))

    def _on_canvas(self, box: Box) -> Box:
        left, top, right, bottom = box
        return left * self.across, top * self.scale, right * self.across, bottom * self.scale

    def tilt(self, degrees: float) -> None:
        """Turns it about its middle, the glyphs with it; boxes that were given out before stay where they were."""
        self.image = self.image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=self.paper)
        across, up = self.across / self.scale, math.radians(degrees)
        middle = self.width / 2, self.height / 2
        moved = []
        for glyph in self.glyphs:
            x, y = (glyph.x - middle[0]) * across, glyph.y - middle[1]
            x, y = x * math.cos(up) + y * math.sin(up), y * math.cos(up) - x * math.sin(up)
            moved.append(dataclasses.replace(glyph, x=middle[0] + x / across, y=middle[1] + y))
        self.glyphs[:] = moved

    def finish(self, rng: random.Random) -> "Picture":
        """Brings it to its size, and does to it what cameras and messengers do; mild, and mostly nothing."""
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
    """Pixels from one character to the next, without kerning: asking for that pixel costs half the drawing."""
    return sum(fonts.load(own, size).getlength(run) for own, run in fonts.runs(face, character))


def canvas(rng: random.Random, width: int, height: int, paper: Colour) -> Picture:
    """An empty picture that is drawn a little larger or smaller, wider, narrower or fatter than it will be."""
    scale = rng.uniform(0.75, 1.35) if rng.random() < 0.35 else 1.0
    stretch = rng.uniform(0.85, 1.15) if rng.random() < 0.5 else 1.0
    stroke = rng.uniform(0.1, 0.5) if rng.random() < 0.25 else 0.0
    return Picture(width, height, paper, scale, stretch, stroke)


def magnified(rng: random.Random, width: int) -> float:
    """How much larger than in most pictures the print is: screenshots are zoomed into, photos taken from nearby."""
    return rng.uniform(1.1, width / 200) if width >= 300 and rng.random() < 0.25 else 1.0


def ink_and_paper(rng: random.Random) -> tuple[Colour, Colour]:
    """A text colour and a background that it is legible on; mostly dark on light."""
    if rng.random() < 0.5:
        return (rng.randint(0, 40),) * 3, (rng.randint(245, 255),) * 3
    pale = (rng.randint(215, 255), rng.randint(215, 255), rng.randint(215, 255))
    deep = (rng.randint(0, 90), rng.randint(0, 90), rng.randint(0, 90))
    return (pale, deep) if rng.random() < 0.15 else (deep, pale)
