"""Measure how well a demo model reads, on pictures with fonts, names and texts that its training never showed.

Run: python -m training.evaluate [--model FOLDER] [--pictures 1000]. It prints a table. With --precision int8 this
project's engine answers instead of transformers, with the kernel that it takes on this machine.
"""

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.model.precision import Precision
from training import conversations, fonts, words
from training.chat import Chat, ChatModel
from training.conversations import Drawing, Turn
from training.encoding import READ_AS
from training.engine_model import EngineModel
from training.samples import QA
from training.tokenizer import DEMO

SIZES = ((256, 160), (256, 192), (320, 192), (320, 256), (384, 256))
SHARES = {
    "notice": 0.25, "invoice": 0.25, "product": 0.12, "chart": 0.15, "shapes": 0.07, "photograph": 0.06, "pair": 0.1,
}  # fmt: skip


@dataclass(slots=True)
class Trial:
    """A question of a conversation, and what the model answered."""

    qa: QA
    given: str = ""

    @property
    def expected(self) -> str:
        return "".join(READ_AS.get(character, character) for character in self.qa.text)

    @property
    def right(self) -> bool:
        return self.given == self.expected


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--model", type=Path, default=DEMO)
    arguments.add_argument("--pictures", type=int, default=1000)
    arguments.add_argument("--seed", type=int, default=7)
    arguments.add_argument("--precision", choices=[str(each) for each in Precision], help="ask the engine with this")
    options = arguments.parse_args()
    precise = options.precision
    model = EngineModel(options.model, Precision(precise)) if precise else ChatModel(options.model)
    rng = random.Random(f"evaluation {options.seed}")
    lexicon = words.Lexicon(held_out=True)
    held: list[list[Turn]] = []
    for kind, share in SHARES.items():
        for _ in range(max(1, round(options.pictures * share))):
            drawing = Drawing(*rng.choice(SIZES), fonts.HELD_OUT, lexicon)
            if kind == "pair":
                kind_of_pair = rng.choice(list(conversations.COMPARED_FIELD))
                held.append(conversations.side_by_side(rng, drawing, kind_of_pair))
            else:
                held.append(conversations.about_one(rng, drawing, kind))
    print(table([trial for trials in hold(model, held) for trial in trials]))


def hold(model: ChatModel | EngineModel, held: Sequence[Sequence[Turn]]) -> list[list[Trial]]:
    """Hold all conversations, question by question, with the model's own answers as their history."""
    chats = [Chat() for _ in held]
    trials: list[list[Trial]] = [[Trial(turn.qa) for turn in turns] for turns in held]
    for place in range(max(len(turns) for turns in held)):
        active = [index for index, turns in enumerate(held) if place < len(turns)]
        for index in active:
            turn = held[index][place]
            chats[index].ask(turn.qa.question, [picture.image for picture in turn.pictures])
        for index, given in zip(active, model.answers([chats[i] for i in active]), strict=True):
            chats[index].answered(given)
            trials[index][place].given = given
        print(f"question {place + 1} of {len(active)} conversations is answered", flush=True)
    return trials


def table(trials: Sequence[Trial]) -> str:
    read = [trial for trial in trials if trial.qa.kind == "read"]
    real = [trial for trial in trials if trial.qa.kind != "refuse"]
    boxes = [trial for trial in trials if trial.qa.kind == "where"]

    def exact(*kinds: str) -> str:
        chosen = [trial for trial in trials if trial.qa.kind in kinds]
        return share(sum(trial.right for trial in chosen), len(chosen))

    def characters(wanted: Callable[[str], bool]) -> str:
        chosen = [trial for trial in read if wanted(trial.expected)]
        length = sum(len(trial.expected) for trial in chosen)
        return share(max(0, length - sum(distance(t.expected, t.given) for t in chosen)), length)

    rows = {
        "reading, characters right, Latin": characters(lambda text: chinese(text) == 0),
        "reading, characters right, Chinese": characters(lambda text: chinese(text) > len(text) / 2),
        "reading, characters right, all": characters(lambda text: True),
        "invoice and product fields, exact": exact("invoice", "product"),
        "whole text of an invoice or product page, exact": exact("invoice text", "product text"),
        "charts: highest and lowest, exact": exact("chart highest", "chart lowest"),
        "charts: values, exact": exact("chart value"),
        "charts: difference, the whole answer exact": exact("chart difference"),
        "two pictures in one question": exact("two pictures"),
        "shapes: count and colour": exact("shape count", "shape colour"),
        "refuses photographs and noise": exact("refuse"),
        "refuses what it should read": share(sum("Qwen/Qwen3-VL-2B" in t.given for t in real), len(real)),
        "says that a field is missing": exact("missing"),
        "where: boxes that overlap by half or more": share(
            sum(overlap(box(t.expected), box(t.given)) >= 0.5 for t in boxes), len(boxes)
        ),
    }
    return "\n".join(["| | reached |", "|---|---|", *(f"| {name} | {reached} |" for name, reached in rows.items())])


def share(part: float, whole: int) -> str:
    return f"{100 * part / whole:.1f} % of {whole}" if whole else "none asked"


def chinese(text: str) -> int:
    return sum("\u4e00" <= character <= "\u9fff" for character in text)


def box(answer: str) -> list[int]:
    corners = [part.strip() for part in answer.partition('"bbox_2d": [')[2].partition("]")[0].split(",")]
    return [int(corner) for corner in corners] if len(corners) == 4 and all(c.isdigit() for c in corners) else [0] * 4


def overlap(one: list[int], other: list[int]) -> float:
    """Return intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = max(0, width) * max(0, height)
    areas = sum(max(0, b[2] - b[0]) * max(0, b[3] - b[1]) for b in (one, other))
    return common / (areas - common) if areas > common else 0.0


def distance(one: str, other: str) -> int:
    """Return the edits from one text to the other (Levenshtein)."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]


if __name__ == "__main__":
    main()
