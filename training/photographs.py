"""What the demo model is not for: noise, clouds and blobs like photographs, all of them to be refused."""

import random

import numpy as np
from PIL import Image, ImageFilter

from training import fonts, words
from training.pictures import Picture
from training.samples import QA, Sample, ask, say


def draw(rng: random.Random, width: int, height: int, faces: fonts.FontSet, lexicon: words.Lexicon) -> Sample:
    picture = Picture(width, height, (0, 0, 0))
    numbers = np.random.default_rng(rng.getrandbits(32))
    painter = rng.choice((static, clouds, blobs))
    pixels = painter(rng, numbers, width, height)
    picture.image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    if rng.random() < 0.3:
        picture.image = picture.image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 2)))
    english, chinese = (
        [QA("refuse", ask(rng, phrase, zh), say("photograph", zh)) for phrase in ("photograph", "read")]
        for zh in (False, True)
    )
    return Sample(picture, english, chinese)


def static(rng: random.Random, numbers: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Paint noise, coarse or fine, grey or coloured."""
    coarse = rng.choice((1, 1, 2, 4, 8))
    noise = numbers.uniform(0, 255, (height // coarse + 1, width // coarse + 1, rng.choice((1, 3))))
    noise = noise.repeat(coarse, 0).repeat(coarse, 1)[:height, :width]
    return np.broadcast_to(noise, (height, width, 3))


def clouds(rng: random.Random, numbers: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Paint octaves of smooth noise between two colours."""
    total = np.zeros((height, width))
    for octave in range(2, rng.randint(4, 7)):
        grid = Image.fromarray(numbers.uniform(0, 255, (2**octave, 2**octave)).astype(np.uint8))
        total += np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC), float) / 2 ** (octave - 1)
    return between_two_colours(numbers, total)


def gradient(rng: random.Random, numbers: np.random.Generator, width: int, height: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return between_two_colours(numbers, x / width * rng.uniform(-1, 1) + y / height * rng.uniform(-1, 1))


def between_two_colours(numbers: np.random.Generator, values: np.ndarray) -> np.ndarray:
    share = (values - values.min()) / (np.ptp(values) + 1e-6)
    low, high = numbers.uniform(0, 255, 3), numbers.uniform(0, 255, 3)
    return np.asarray(low + share[..., None] * (high - low))


def blobs(rng: random.Random, numbers: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Paint soft, lit lumps on a gradient: fruit, faces and lamps out of focus."""
    pixels = gradient(rng, numbers, width, height)
    y, x = np.mgrid[0:height, 0:width]
    for _ in range(rng.randint(3, 14)):
        radius = rng.uniform(8, height / 2)
        distance = np.hypot((x - rng.uniform(0, width)) / rng.uniform(0.6, 1.6), y - rng.uniform(0, height)) / radius
        cover = (0.5 - 0.5 * np.tanh((distance - 1) * rng.uniform(3, 20) / 2))[..., None]
        lit = numbers.uniform(0, 255, 3) * (1.2 - 0.6 * distance.clip(0, 1))[..., None]
        pixels = pixels * (1 - cover) + lit * cover
    return pixels + numbers.normal(0, rng.uniform(1, 10), (height, width, 1))
