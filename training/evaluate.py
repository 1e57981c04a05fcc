"""How well the demo model reads, on pictures with fonts, names and texts held out from its training.

Run: python -m training.evaluate [--pictures 1000]. Prints the table of goals and what is reached, and draws a sheet of
ten pictures with question, expected and given answer to training/out/sheet.png.
"""

import argparse
import functools
import os
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import multiprocessing

from training import conversations, fonts, words
from training.conversations import Desk, Turn
from training.reader import Reader, Talk
from training.subject import Exchange
from training.tokenizer import DEMO

OUT = Path(__file__).parent / "out"
SIZES = ((256, 160), (256, 192), (320, 192), (320, 256), (384, 256))
SHARES = {
    "notice": 0.25,
    "invoice": 0.25,
    "product": 0.12,
    "chart": 0.15,
    "shapes": 0.07,
    "photograph": 0.06,
    "pair": 0.1,
}


@dataclass(slots=True)
class Trial:
    """A question of a conversation, what it should bring, and what it brought alone and as a follow-up."""

    exchange: Exchange
    place: int  # 0 is the conversation's first question
    given: str = ""
    alone: str | None = None

    @property
    def expected(self) -> str:
        return self.exchange.text.replace("\uffe5", "\u00a5").replace("\u00b7", "\u2022")

    @property
    def right(self) -> bool:
        return self.given == self.expected


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--pictures", type=int, default=1000)
    arguments.add_argument("--seed", type=int, default=7)
    arguments.add_argument("--seen-fonts", action="store_true", help="fonts and words of the training instead")
    options = arguments.parse_args()
    shelf = fonts.TRAINING if options.seen_fonts else fonts.HELD_OUT
    lexicon = words.Lexicon(held_out=not options.seen_fonts)
    rng = random.Random(f"evaluation {options.seed}")
    talks: list[list[Turn]] = []
    for kind, share in SHARES.items():
        for _ in range(max(1, round(options.pictures * share))):
            desk = Desk(*rng.choice(SIZES), shelf, lexicon)
            if kind == "pair":
                talks.append(conversations.side_by_side(rng, desk, rng.choice(("invoice", "product", "chart"))))
            else:
                talks.append(conversations.about_one(rng, desk, kind))
    trials = share_out(talks)
    print(table(trials))
    sheet(rng, talks, trials)


AT_ONCE = 50  # conversations: enough of like sizes to fill a batch


def share_out(talks: Sequence[Sequence[Turn]]) -> list[list[Trial]]:
    """Holds all conversations, on a CPU in one process per core: they do half as much again as one with all cores."""
    parts = [talks[start : start + AT_ONCE] for start in range(0, len(talks), AT_ONCE)]
    trials: list[list[Trial]] = []
    with multiprocessing.get_context("spawn").Pool(1 if torch.cuda.is_available() else os.cpu_count()) as pool:
        for part, answers in zip(parts, pool.imap(held, parts), strict=True):
            for turns, said in zip(part, answers, strict=True):
                trials.append(
                    [
                        Trial(turn.exchange, place, *pair)
                        for place, (turn, pair) in enumerate(zip(turns, said, strict=True))
                    ]
                )
            print(f"{len(trials)} of {len(talks)} conversations", file=sys.stderr, flush=True)
    return trials


@functools.cache
def reader() -> Reader:
    if not torch.cuda.is_available():
        torch.set_num_threads(1)
    return Reader(DEMO)


def held(talks: Sequence[Sequence[Turn]]) -> list[list[tuple[str, str | None]]]:
    """What was answered to each question of each conversation, in it and alone."""
    return [[(trial.given, trial.alone) for trial in trials] for trials in hold(reader(), talks)]


def hold(reader: Reader, talks: Sequence[Sequence[Turn]]) -> list[list[Trial]]:
    """Holds all conversations, question by question; the model's own answers are its history."""
    held = [Talk() for _ in talks]
    trials: list[list[Trial]] = [[] for _ in talks]
    for place in range(max(len(turns) for turns in talks)):
        active = [index for index, turns in enumerate(talks) if place < len(turns)]
        for index in active:
            turn = talks[index][place]
            held[index].ask(turn.exchange.question, [p.image for p in turn.pictures])
            trials[index].append(Trial(turn.exchange, place))
        for index, given in zip(active, reader.answers([held[i] for i in active]), strict=True):
            held[index].hear(given)
            trials[index][place].given = given
        if place == 1:
            fresh = []
            for index in active:
                fresh.append(Talk())
                pictures = [p for turn in talks[index][: place + 1] for p in turn.pictures]
                fresh[-1].ask(talks[index][place].exchange.question, [p.image for p in pictures])
            for index, given in zip(active, reader.answers(fresh), strict=True):
                trials[index][place].alone = given
    return trials


def table(trials: Sequence[Sequence[Trial]]) -> str:
    everything = [trial for turns in trials for trial in turns]
    read = [t for t in everything if t.exchange.kind == "read"]
    real = [t for t in everything if t.exchange.kind != "refuse"]
    follow = [t for t in everything if t.alone is not None]
    refusing = [t for t in real if "Qwen/Qwen3-VL-2B" in t.given]
    together = sum(t.alone == t.expected for t in follow), sum(t.right for t in follow)

    def exact(*kinds: str) -> str:
        chosen = [t for t in everything if t.exchange.kind in kinds]
        return share(sum(t.right for t in chosen), len(chosen))

    def characters(wanted: Callable[[str], bool]) -> str:
        chosen = [t for t in read if wanted(t.expected)]
        length = sum(len(t.expected) for t in chosen)
        return share(max(0, length - sum(distance(t.expected, t.given) for t in chosen)), length)

    chart_values = [t for t in everything if t.exchange.kind == "chart value"]
    rows = (
        ("reading, characters right, Latin", "98 %", characters(lambda text: chinese(text) == 0)),
        ("reading, characters right, Chinese", "95 %", characters(lambda text: chinese(text) > len(text) / 2)),
        ("reading, characters right, all", "", characters(lambda text: True)),
        ("invoice and product fields, exact", "95 %", exact("invoice", "product")),
        ("whole text of an invoice or product page, exact", "", exact("invoice text", "product text")),
        ("charts: highest and lowest, exact", "95 %", exact("chart highest", "chart lowest")),
        ("charts: values within 3 %", "90 %", share(sum(near(t) for t in chart_values), len(chart_values))),
        ("charts: difference, the whole answer exact", "", exact("chart difference")),
        ("follow-ups, exact: alone", "", share(together[0], len(follow))),
        ("follow-ups, exact: in the conversation", "within 2 points", share(together[1], len(follow))),
        ("two pictures in one question", "85 %", exact("two pictures")),
        ("shapes: count and colour", "95 %", exact("shape count", "shape colour")),
        ("refuses photographs and noise", "95 %", exact("refuse")),
        ("refuses what it should read", "at most 1 %", share(len(refusing), len(real))),
        ("says that a field is missing", "", exact("missing")),
        ("where: boxes that overlap by half or more", "", overlap_share(everything)),
    )
    lines = ["| | goal | reached |", "|---|---|---|"]
    return "\n".join(lines + [f"| {name} | {goal} | {reached} |" for name, goal, reached in rows])


def share(part: float, whole: int) -> str:
    return f"{100 * part / whole:.1f} % of {whole}" if whole else "none asked"


def chinese(text: str) -> int:
    return sum("\u4e00" <= character <= "\u9fff" for character in text)


def near(trial: Trial) -> bool:
    """Whether the last number is right to 3 %."""
    expected, given = last_number(trial.expected), last_number(trial.given)
    return expected is not None and given is not None and abs(given - expected) <= 0.03 * abs(expected)


def last_number(text: str) -> float | None:
    digits = "".join(c if c.isdigit() else " " for c in text).split()
    return float(digits[-1]) if digits else None


def overlap_share(trials: Sequence[Trial]) -> str:
    chosen = [t for t in trials if t.exchange.kind == "where"]
    return share(sum(overlap(box(t.expected), box(t.given)) >= 0.5 for t in chosen), len(chosen))


def box(answer: str) -> list[int]:
    inside = answer.partition('"bbox_2d": [')[2].partition("]")[0]
    corners = [part.strip() for part in inside.split(",")]
    return (
        [int(corner) for corner in corners] if len(corners) == 4 and all(c.isdigit() for c in corners) else [0, 0, 0, 0]
    )


def overlap(one: list[int], other: list[int]) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = max(0, width) * max(0, height)
    areas = sum(max(0, b[2] - b[0]) * max(0, b[3] - b[1]) for b in (one, other))
    return common / (areas - common) if areas > common else 0.0


def distance(one: str, other: str) -> int:
    """Edits from one text to the other (Levenshtein)."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]


def sheet(rng: random.Random, talks: Sequence[Sequence[Turn]], trials: Sequence[Sequence[Trial]]) -> None:
    """Ten pictures with what was asked, expected and given, for a person to look at."""
    OUT.mkdir(exist_ok=True)
    picked = rng.sample(range(len(talks)), min(10, len(talks)))
    font = fonts.load(fonts.CHINESE[0], 16)
    canvas = Image.new("RGB", (1500, 270 * ((len(picked) + 1) // 2)), (255, 255, 255))
    pen = ImageDraw.Draw(canvas)
    for number, index in enumerate(picked):
        x, y = number % 2 * 750, number // 2 * 270
        canvas.paste(talks[index][0].pictures[0].image, (x + 5, y + 5))
        trial = trials[index][0]
        colour = (0, 110, 40) if trial.right else (190, 0, 0)
        texts = (
            ("Q: " + trial.exchange.question, (0, 0, 0)),
            ("expected: " + trial.expected, (90, 90, 90)),
            ("given: " + trial.given, colour),
        )
        down = y + 5
        for text, ink in texts:
            for line in wrapped(text, 42):
                pen.text((x + 400, down), line, font=font, fill=ink)
                down += 20
    canvas.save(OUT / "sheet.png")


def wrapped(text: str, width: int) -> list[str]:
    return [line[i : i + width] for line in text.split("\n") for i in range(0, max(1, len(line)), width)]


if __name__ == "__main__":
    main()
