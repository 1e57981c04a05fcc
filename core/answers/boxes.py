"""Reads from an answer where something is: Qwen3-VL's grounding, JSON of boxes and points in thousandths of a picture.

The person gets a picture with the boxes drawn on it and the rest of the text; the JSON is never shown.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.conversation import Image, Picture, Turn, storable
from core.i18n import Translator
from core.pictures import workers

MOST = 50  # boxes that are drawn
LABEL_LENGTH = 40  # characters

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
    """Left, top, right, bottom from 0 to 1000, whatever the picture's size; a point has no width and no height."""

    corners: tuple[float, float, float, float]
    label: str = ""
    picture: int | None = None  # its number, when the answer says it


@dataclass(frozen=True, slots=True)
class Grounding:
    """An answer in two parts: `text` without the JSON, and where things are."""

    text: str
    boxes: tuple[Box, ...] = ()

    def words(self, translator: Translator) -> str:
        """What is written above the drawn picture; an answer that was only JSON names what it found."""
        if self.text or not self.boxes:
            return self.text
        labels = translator.listed(dict.fromkeys(box.label for box in self.boxes if box.label))
        if not labels:
            return translator.say("Marked in the picture.")
        return translator.say("Marked in the picture: {labels}.", labels=labels)


@dataclass(frozen=True, slots=True)
class Marked:
    """A picture of the conversation with boxes drawn on it, as PNG."""

    number: int
    png: bytes


def find_boxes(text: str) -> Grounding:
    """Tolerates code fences, text around and between, and an answer that was cut in the middle of the JSON."""
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
        return Grounding(text)
    rest = "\n".join(part.strip() for part in (*kept, text[end:]) if part.strip())
    return Grounding(rest, tuple(boxes[:MOST]))


def visible(growing: str) -> str:
    """What may be shown of an answer that is still being written: no grounding, and nothing that may become one."""
    text = find_boxes(growing).text
    begun = _BEGUN.search(text)
    if begun is None or text[: begun.start()].count("```") % 2:  # inside of other code
        return text
    return text[: begun.start()]


def pointed_at(turn: Turn, known: Sequence[Picture] = ()) -> dict[Picture, list[Box]]:
    """The pictures that a turn's answer points into, by number; empty when it points at nothing.

    `known` are all that its conversation had then, for a follow-up that brought none. A box that names no picture is in
    the one that the question names, or else in the last one.
    """
    boxes = find_boxes(turn.answer.text).boxes if turn.answer else ()
    pictures = {picture.number: picture for picture in (*known, *turn.pictures)}
    if not boxes or not pictures:
        return {}
    meant = pictures.get(_picture(turn.text) or 0, (turn.pictures or known)[-1])
    found: dict[Picture, list[Box]] = {}
    for box in boxes:
        found.setdefault(pictures.get(box.picture or 0, meant), []).append(box)
    return {picture: found[picture] for picture in sorted(found, key=lambda picture: picture.number)}


async def mark(turn: Turn, known: Sequence[Picture] = ()) -> list[Marked]:
    """The pictures that a turn's answer points into, with the boxes drawn; see `pointed_at`."""
    found = pointed_at(turn, known)
    return [Marked(picture.number, await draw(picture.image, boxes)) for picture, boxes in found.items()]


async def draw(image: Image, boxes: list[Box]) -> bytes:
    """PNG of the picture with its boxes."""
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
    return " ".join(storable(label).split())[:LABEL_LENGTH]


def _picture(text: str) -> int | None:
    numbers = _PICTURE.findall(text)
    return int(numbers[-1]) if numbers else None
