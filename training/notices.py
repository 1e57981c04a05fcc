"""Notices: one to ten printed lines, to be read out."""

import random

from training import fonts, words
from training.pictures import Span, canvas, ink_and_paper, magnified
from training.subject import Exchange, Subject, joined

READ = (
    "Extract all text",
    "Extract all text.",
    "Read the text.",
    "What does it say?",
    "What is written here?",
    "What text is in the picture?",
    "OCR",
    "Transcribe the text.",
    "Read all the text in the image.",
)
READ_ZH = (
    "提取图中的所有文字",
    "提取图中的所有文字。",
    "图中写了什么?",
    "图中写了什么?",
    "读出图中的文字",
    "识别图中文字",
    "请提取文字。",
    "图片上的文字是什么?",
    "上面写的是什么?",
)


def draw(rng: random.Random, width: int, height: int, shelf: fonts.Shelf, lexicon: words.Lexicon) -> Subject:
    ink, paper = ink_and_paper(rng)
    picture = canvas(rng, width, height, paper)
    larger = magnified(rng, width)
    count = rng.randint(1, max(1, min(10, int(height / 25 / larger))))
    pitch = (height - 8) / count
    top = rng.uniform(2, 8)
    left = rng.uniform(4, 20)
    lines: list[Span] = []
    share = rng.choice((0.0, 0.5, 1.0))  # of Chinese lines
    for index in range(count):
        chinese = rng.random() < share
        face = shelf.pick(rng, chinese)
        size = rng.randint(18, min(int(28 * larger), int(pitch)))
        text = words.printed_line(rng, chinese, lexicon)
        while len(text) > 1 and picture.measure(text, face, size) > width - left - 2:
            text = text[:-1].rstrip()
        lines.append(picture.write(left, top + index * pitch, text, face, size, ink))
    picture.finish(rng)
    answer = joined([[line] for line in lines])
    return Subject(
        picture,
        [Exchange("read", rng.choice(READ), answer)],
        [Exchange("read", rng.choice(READ_ZH), answer)],
    )
