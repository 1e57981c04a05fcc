"""Draw tall prints: long lists such as a screenshot of a whole page shows."""

import random

from PIL import Image, ImageDraw, ImageFont

from core.pictures import fonts

CONSONANTS, VOWELS = "bcdfghklmnprstvw", "aeiou"
WIDTH, INK, PITCH, MARGIN = 1080, 66, 180, 48  # pixels, as a telephone shows it


def items(seed: int, count: int = 24) -> list[str]:
    """Return the lines of a list: made-up names with amounts, none twice."""
    rng = random.Random(seed)
    names: dict[str, None] = {}
    while len(names) < count:
        names["".join(rng.choice(CONSONANTS) + rng.choice(VOWELS) for _ in range(rng.randint(2, 3))).title()] = None
    return [f"{name} {rng.randrange(100, 10_000)}" for name in names]


def tall_print(lines: list[str], ink: int = INK, pitch: int = PITCH, width: int = WIDTH) -> Image.Image:
    picture = Image.new("RGB", (width, pitch * len(lines) + MARGIN), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.truetype(fonts.PATH, ink)
    for number, line in enumerate(lines):
        pen.text((MARGIN, MARGIN // 2 + number * pitch), line, font=font, fill="black")
    return picture
