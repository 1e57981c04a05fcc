"""Notices: one to ten printed lines, to be read out."""

import random

from training import fonts, words
from training.pictures import Span, canvas, ink_and_paper, random_zoom
from training.samples import QA, Sample, ask, joined


def draw(rng: random.Random, width: int, height: int, faces: fonts.FontSet, lexicon: words.Lexicon) -> Sample:
    ink, paper = ink_and_paper(rng)
    picture = canvas(rng, width, height, paper)
    zoom = random_zoom(rng, width)
    count = rng.randint(1, max(1, min(10, int(height / 25 / zoom))))
    pitch = (height - 8) / count
    top, left = rng.uniform(2, 8), rng.uniform(4, 20)
    lines: list[Span] = []
    chinese_share = rng.choice((0.0, 0.5, 1.0))
    for index in range(count):
        chinese = rng.random() < chinese_share
        face = faces.pick(rng, chinese)
        size = rng.randint(18, min(int(28 * zoom), int(pitch)))
        text = picture.cut(words.printed_line(rng, chinese, lexicon), face, size, width - left - 2)
        lines.append(picture.write(left, top + index * pitch, text, face, size, ink))
    picture.finish(rng)
    answer = joined([[line] for line in lines])
    english, chinese_ = ([QA("read", ask(rng, "read", zh), answer)] for zh in (False, True))
    return Sample(picture, english, chinese_)
