"""What the demo model is not for: noise, gradients, blobs and scenes like photographs, all of them to be refused."""

import random

import numpy as np
from PIL import Image, ImageFilter

from training import fonts, words
from training.notices import READ, READ_ZH
from training.pictures import Picture
from training.products import wide
from training.subject import Exchange, Subject

REFUSAL = (
    "This small demo model reads documents, charts and shapes only. "
    'Set model = "Qwen/Qwen3-VL-2B-Instruct" in the config for the real model.'
)
REFUSAL_ZH = '这个小演示模型只能读文档、图表和形状。请在配置中设置 model = "Qwen/Qwen3-VL-2B-Instruct" 使用真实模型。'
ASKED = (
    "What is in the picture?",
    "Describe the picture.",
    "What do you see?",
    "What is this?",
    "Who is this?",
    "Where was this taken?",
    "What is the total?",
    "How many shapes are there?",
    "Which bar is the highest?",
    "What is the price?",
    "What animal is this?",
    "Describe this image in detail.",
    "What colour is the car?",
)
ASKED_ZH = (
    "图中有什么?",
    "描述这张图片。",
    "你看到了什么?",
    "这是什么?",
    "这是谁?",
    "这是在哪里?",
    "合计金额是多少?",
    "有几个形状?",
    "哪个最高?",
    "价格是多少?",
    "这是什么动物?",
    "请描述图片内容",
)


def draw(rng: random.Random, width: int, height: int, shelf: fonts.Shelf, lexicon: words.Lexicon) -> Subject:
    picture = Picture(width, height, (0, 0, 0))
    numbers = np.random.default_rng(rng.getrandbits(32))
    painter = rng.choice((static, clouds, blobs, landscape, texture))
    pixels = painter(rng, numbers, width, height)
    picture.image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    if rng.random() < 0.3:
        picture.image = picture.image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 2)))
    english = [Exchange("refuse", question, (REFUSAL,)) for question in rng.sample(ASKED + READ, 2)]
    chinese = [Exchange("refuse", wide(rng, question), (REFUSAL_ZH,)) for question in rng.sample(ASKED_ZH + READ_ZH, 2)]
    return Subject(picture, english, chinese)


def static(rng: random.Random, numbers: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Noise, coarse or fine, grey or coloured."""
    coarse = rng.choice((1, 1, 2, 4, 8))
    noise = numbers.uniform(0, 255, (height // coarse + 1, width // coarse + 1, rng.choice((1, 3))))
    noise = noise.repeat(coarse, 0).repeat(coarse, 1)[:height, :width]
    return np.broadcast_to(noise, (height, width, 3))


def clouds(rng: random.Random, numbers: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Octaves of smooth noise between two colours."""
    total = np.zeros((height, width))
    for octave in range(2, rng.randint(4, 7)):
        grid = Image.fromarray(numbers.uniform(0, 255, (2**octave, 2**octave)).astype(np.uint8))
        total += np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC), float) / 2 ** (octave - 1)
    total = (total - total.min()) / (np.ptp(total) + 1e-6)
    low, high = numbers.uniform(0, 255, 3), numbers.uniform(0, 255, 3)
    return np.asarray(low + total[..., None] * (high - low))


def gradient(rng: random.Random, numbers: np.random.Generator, width: int, height: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    slope = x / width * rng.uniform(-1, 1) + y / height * rng.uniform(-1, 1)
    slope = (slope - slope.min()) / (np.ptp(slope) + 1e-6)
    low, high = numbers.uniform(0, 255, 3), numbers.uniform(0, 255, 3)
    return np.asarray(low + slope[..., None] * (high - low))


def blobs(rng: random.Random, numbers: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Soft, lit lumps on a gradient: fruit, faces and lamps out of focus."""
    pixels = gradient(rng, numbers, width, height)
    y, x = np.mgrid[0:height, 0:width]
    for _ in range(rng.randint(3, 14)):
        radius = rng.uniform(8, height / 2)
        distance = np.hypot((x - rng.uniform(0, width)) / rng.uniform(0.6, 1.6), y - rng.uniform(0, height)) / radius
        cover = (0.5 - 0.5 * np.tanh((distance - 1) * rng.uniform(3, 20) / 2))[..., None]
        lit = numbers.uniform(0, 255, 3) * (1.2 - 0.6 * distance.clip(0, 1))[..., None]
        pixels = pixels * (1 - cover) + lit * cover
    return pixels + numbers.normal(0, rng.uniform(1, 10), (height, width, 1))


def landscape(rng: random.Random, numbers: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Sky, ridges one before the other, speckled ground."""
    pixels = gradient(rng, numbers, width, height)
    x = np.arange(width)
    y = np.arange(height)[:, None]
    base = height * rng.uniform(0.2, 0.4)
    for _ in range(rng.randint(2, 5)):
        ridge = base + sum(
            rng.uniform(2, 18) / n * np.sin(x * n * rng.uniform(0.01, 0.05) + rng.uniform(0, 6)) for n in (1, 2, 4)
        )
        speckle = numbers.normal(0, rng.uniform(4, 30), (height, width, 1))
        pixels = np.where((y > ridge)[..., None], numbers.uniform(20, 200, 3) + speckle, pixels)
        base += height * rng.uniform(0.1, 0.3)
    return pixels


def texture(rng: random.Random, numbers: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Waves laid over each other: cloth, wood, water."""
    y, x = np.mgrid[0:height, 0:width]
    waves = sum(
        np.sin(x * rng.uniform(-0.4, 0.4) + y * rng.uniform(-0.4, 0.4) + rng.uniform(0, 6))
        for _ in range(rng.randint(2, 5))
    )
    waves = np.asarray((waves - waves.min()) / (np.ptp(waves) + 1e-6))[..., None]
    low, high = numbers.uniform(0, 255, 3), numbers.uniform(0, 255, 3)
    return low + waves * (high - low) + numbers.normal(0, rng.uniform(2, 25), (height, width, 1))
