"""Draws the training's curves from its CSV files. Run: python -m training.curve"""

import csv
from collections import defaultdict
from pathlib import Path

from PIL import Image, ImageDraw

from training import fonts
from training.checkpoint import DIRECTORY
from training.tokenizer import DEMO

SHOWN = (
    ("read", "right", "stage 1: characters named from their cells"),
    ("answer", "crammed", "stage 2: characters of crammed pages named"),
    ("answer", "spelled", "stage 2: characters in conversations named"),
    ("answer", "found", "stage 2: quoted characters pointed at"),
    ("answer", "quoted", "stage 2: quoted tokens right"),
    ("answer", "right", "stage 2: all answer tokens right"),
)
COLOURS = ((66, 133, 244), (15, 157, 88), (244, 160, 0), (219, 68, 55), (68, 84, 106), (160, 90, 190))
TOGETHER = 5  # lines of the file to a point: a few conversations make a restless mean
WIDTH, HEIGHT, LEFT, BOTTOM = 900, 420, 60, 370


def points(name: str) -> dict[str, list[tuple[int, float]]]:
    """Each value's course over the seconds of training."""
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    path = DIRECTORY / f"{name}.csv"
    if path.exists():
        with path.open() as file:
            for _, _, seconds, value, number in csv.reader(file):
                found[value].append((int(seconds), float(number)))
    return {
        value: [mean(line[i : i + TOGETHER]) for i in range(0, len(line), TOGETHER)] for value, line in found.items()
    }


def mean(points: list[tuple[int, float]]) -> tuple[int, float]:
    return points[-1][0], sum(number for _, number in points) / len(points)


def draw(path: Path = DEMO / "curve.png") -> None:
    courses = {name: points(name) for name in ("read", "answer")}
    first = max((seconds for seconds, _ in courses["read"].get("right", [(0, 0.0)])), default=0)
    last = first + max((seconds for seconds, _ in courses["answer"].get("right", [(1, 0.0)])), default=1)
    image = Image.new("RGB", (WIDTH, HEIGHT), (255, 255, 255))
    pen = ImageDraw.Draw(image)
    font = fonts.load(fonts.LATIN[0], 13)

    def place(seconds: float, value: float) -> tuple[float, float]:
        return LEFT + (WIDTH - LEFT - 20) * seconds / last, BOTTOM - (BOTTOM - 20) * value

    for tenth in range(0, 11, 2):
        y = place(0, tenth / 10)[1]
        pen.line((LEFT, y, WIDTH - 20, y), (225, 225, 225))
        pen.text((14, y - 8), f"{tenth * 10} %", font=font, fill=(60, 60, 60))
    for minute in range(0, int(last / 60) + 1, max(1, round(last / 60 / 8))):
        pen.text((place(minute * 60, 0)[0] - 10, BOTTOM + 8), f"{minute}", font=font, fill=(60, 60, 60))
    pen.text((WIDTH / 2 - 40, BOTTOM + 26), "minutes of training", font=font, fill=(60, 60, 60))
    for index, ((stage, value, label), colour) in enumerate(zip(SHOWN, COLOURS, strict=True)):
        start = first if stage == "answer" else 0
        line = [place(start + seconds, number) for seconds, number in courses[stage].get(value, [])]
        if len(line) > 1:
            pen.line(line, colour, 2, joint="curve")
            pen.text((WIDTH - 360, BOTTOM - 110 + index * 18), label, font=font, fill=colour)
    image.save(path, optimize=True)


if __name__ == "__main__":
    draw()
