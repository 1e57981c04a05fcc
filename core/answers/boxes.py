"""Read from an answer where things are: Qwen3-VL's grounding as JSON boxes and points, in thousandths of a picture.

The person gets a picture with the boxes drawn on it and the rest of the text, and never sees the JSON.
"""

import json
import re
from dataclasses import dataclass, replace
from itertools import count

from core import thoughts
from core.conversation import Conversation, Picture, Turn
from core.i18n import Translator
from core.image import Image
from core.pictures import workers
from core.storable import storable

MOST_BOXES = 50
LABEL_CHARACTERS = 40

_KEY = r"""["'](?:bbox_2d|point_2d)["']"""
_OBJECT = re.compile(r"\{[^{}]*+(?:\}|\Z)")
_NUMBERS = re.compile(_KEY + r"\s*:\s*[\[(]+\s*(-?[\d.]+(?:\s*,\s*-?[\d.]+)*)\s*[\])]")
_LABEL = re.compile(r"""["'](?:label|text_content|name)["']\s*:\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')""")
_FENCE = re.compile(r"```\w*\Z")
_AFTER = re.compile(r"\s*,?\s*\]?\s*(?:```)?")
_BETWEEN = re.compile(r"[\s,\[\]]*\Z")
_BEGUN = re.compile(r"""(?:`{1,3}\w{0,4}\s*|`{3}json\s*)?(?:\[\s*)?(?:\{\s*(?:["'][\w ]*(?:["'][^{}]*)?)?)?\Z""")
_PICTURE = re.compile(r"(?:pictures?|images?|图片|图|第)\s*(\d{1,3})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Box:
    """Left, top, right and bottom from 0 to 1000 for any picture size. A point has no width and no height."""

    corners: tuple[float, float, float, float]
    label: str = ""
    picture: int | None = None  # the picture's number, if the answer names it


@dataclass(frozen=True, slots=True)
class Grounding:
    """An answer in its parts: `text` without the JSON, the boxes, and what the model thought before it."""

    text: str
    boxes: tuple[Box, ...] = ()
    thoughts: str = ""

    def words(self, translator: Translator) -> str:
        """Return the text to show with the drawn picture. An answer that was only JSON names what it found."""
        if self.thoughts and not (self.text or self.boxes):
            return translator.say("The model only thought, and came to no answer. Please ask for less at once.")
        if self.text or not self.boxes:
            return self.text
        labels = translator.listed(dict.fromkeys(box.label for box in self.boxes if box.label))
        if not labels:
            return translator.say("Marked in the picture.")
        return translator.say("Marked in the picture: {labels}.", labels=labels)


@dataclass(frozen=True, slots=True)
class MarkedPicture:
    """A picture of the conversation with boxes drawn on it, as PNG."""

    number: int
    png: bytes


def find_boxes(text: str) -> Grounding:
    """Find the boxes in an answer with code fences, with text around the JSON, or cut in the middle of the JSON.

    What the model thought before the answer is no part of its text.
    """
    thought, text = thoughts.split(text)
    boxes: list[Box] = []
    kept: list[str] = []
    end = 0
    for match in _OBJECT.finditer(text):
        if not re.search(_KEY, match[0]):
            continue
        before = text[end : match.start()]
        if kept and _BETWEEN.match(before):
            before = ""
        before = _FENCE.sub("", before.rstrip().removesuffix("[").rstrip())
        kept.append(before)
        boxes += _box(match[0], _picture(before) or (boxes[-1].picture if boxes else None))
        end = match.end()
        if after := _AFTER.match(text, end):
            end = after.end()
    if not kept:
        return Grounding(text, thoughts=thought)
    rest = "\n".join(part.strip() for part in (*kept, text[end:]) if part.strip())
    return Grounding(rest, tuple(boxes[:MOST_BOXES]), thought)


def moved(text: str, corners: tuple[float, float, float, float]) -> str:
    """Return an answer about a part of a picture as one about the whole: its boxes are in thousandths of that.

    `corners` are the part's own in the whole.
    """
    begins, sizes = corners[:2], (corners[2] - corners[0], corners[3] - corners[1])

    def move(found: re.Match[str]) -> str:
        try:
            numbers = [float(number) for number in found[1].split(",")]
            whole = [round(begins[n % 2] + number / 1000 * sizes[n % 2]) for n, number in enumerate(numbers)]
        except (ValueError, OverflowError):  # a run of digits is read as infinite
            return found[0]
        return found[0].replace(found[1], ", ".join(map(str, whole)))

    return _NUMBERS.sub(move, text)


def visible(growing: str) -> str:
    """Return the part of a growing answer that may be shown: no thoughts, no grounding, nor what may become one."""
    if thoughts.may_begin(growing):
        return ""
    text = find_boxes(growing).text
    begun = _BEGUN.search(text)
    if begun is None or text[: begun.start()].count("```") % 2:  # inside other code
        return text
    return text[: begun.start()]


def pointed_at(turn: Turn, known: Conversation | None = None) -> dict[Picture, list[Box]]:
    """Return the pictures that a turn's answer points into, by number, or none. For `known` see `placed`."""
    pictures = {picture.number: picture for picture in (*(known.pictures if known else ()), *turn.pictures)}
    found: dict[Picture, list[Box]] = {}
    for number, box in placed(turn, known):
        if number in pictures:
            found.setdefault(pictures[number], []).append(box)
    return found


def placed(turn: Turn, known: Conversation | None = None) -> list[tuple[int, Box]]:
    """Return the boxes of a turn's answer by the numbers of their pictures, also of those that were removed since.

    `known` is the conversation at that time, for a follow-up that brought no picture. A box that names no picture
    belongs to the picture that the question names, or else to the last one.
    """
    own = [*(picture.number for picture in turn.pictures), *turn.removed]
    numbers = {*own, *(picture.number for picture in known.pictures), *known.removed} if known else set(own)
    boxes = find_boxes(turn.answer.text).boxes if turn.answer and numbers else ()
    last = turn.pictures[-1].number if turn.pictures else 0
    last = max(last, *turn.removed) if turn.removed else last or max(numbers, default=0)
    named = _picture(turn.text) or 0
    meant = named if named in numbers else last
    found = [(number if (number := box.picture or 0) in numbers else meant, box) for box in boxes]
    return sorted(found, key=lambda each: each[0])


def labelled(found: dict[Picture, list[Box]]) -> dict[Picture, list[Box]]:
    """Return the boxes with their numbers before their labels, from 1, if there are several in all."""
    if sum(map(len, found.values())) < 2:
        return found
    numbers = count(1)
    return {
        picture: [replace(box, label=f"{next(numbers)} {box.label}".strip()) for box in boxes]
        for picture, boxes in found.items()
    }


async def mark(turn: Turn, known: Conversation | None = None) -> list[MarkedPicture]:
    """Return the pictures that a turn's answer points into, with the boxes drawn; see `pointed_at`."""
    found = labelled(pointed_at(turn, known))
    return [MarkedPicture(picture.number, await draw(picture.image, boxes)) for picture, boxes in found.items()]


async def draw(image: Image, boxes: list[Box]) -> bytes:
    """Return the picture with its boxes as PNG."""
    options = {"boxes": [[*box.corners, box.label] for box in boxes]}
    [(_, png)] = await workers.run("core.pictures.drawing:boxes", image.data, options)
    return png


def _box(text: str, picture: int | None) -> list[Box]:
    found = _NUMBERS.search(text)
    if found is None:
        return []  # cut before its numbers were complete
    try:
        numbers = [min(max(float(number), 0.0), 1000.0) for number in found[1].split(",")]
    except ValueError:
        return []
    if len(numbers) == 2:
        numbers *= 2
    if len(numbers) != 4:
        return []
    left, top, right, bottom = numbers
    corners = (min(left, right), min(top, bottom), max(left, right), max(top, bottom))
    return [Box(corners, _label(text), picture)]


def _label(text: str) -> str:
    found = _LABEL.search(text)
    if found is None:
        return ""
    label = found[1] if found[1] is not None else found[2]
    try:
        label = str(json.loads(f'"{label}"'))
    except ValueError:
        label = label.replace("\\", "")
    return " ".join(storable(label).split())[:LABEL_CHARACTERS]


def _picture(text: str) -> int | None:
    numbers = _PICTURE.findall(text)
    return int(numbers[-1]) if numbers else None
