"""Write the line under an answer: which pictures were looked at, in which size, how long, and what was left out."""

from collections.abc import Sequence
from dataclasses import replace

from core.answer import Figures
from core.conversation import MOST_PICTURES, Picture, Turn
from core.i18n import Translator

LONG_ANSWER_SECONDS = 10.0  # a quicker answer's time is not worth a line
PICTURES_WITH_SIZES = 3  # more would not fit on the line


def receipt(turn: Turn, translator: Translator, notes: Sequence[str] = ()) -> str:
    """Return the line, or "" when there is nothing to say: one picture in its own size, answered quickly.

    `notes` are sentences about what was skipped, such as `core.pictures.documents.Document.note`.
    """
    figures = turn.answer.figures if turn.answer else Figures()
    seconds = figures.total_s
    if figures.shown_whole:
        turn = replace(turn, pictures=tuple(replace(it, image=it.image.untiled) for it in turn.pictures))
    notes = [note for note in notes if note]
    special = any(picture.image.shrunk or picture.image.tiles or picture.part for picture in turn.pictures)
    if not (notes or special or len(turn.pictures) > 1 or seconds >= LONG_ANSWER_SECONDS):
        return ""
    parts = [_looked_at(turn.pictures, translator)] if turn.pictures else []
    if seconds >= 1:
        parts.append(translator.say("{seconds} s", seconds=round(seconds)))
    return " · ".join([*parts, *notes])


def made_room(numbers: Sequence[int], translator: Translator) -> str:
    """Say which pictures were removed from a conversation that had too many."""
    return translator.say(
        "Removed to make room: picture {numbers}. A conversation keeps {limit} pictures.",
        numbers=translator.listed(numbers),
        limit=MOST_PICTURES,
    )


def not_looked_at(names: Sequence[str], translator: Translator) -> str:
    """Say which files sent with the pictures are not pictures."""
    return translator.say("Not looked at: {names}.", names=translator.listed(names))


def left_out(numbers: Sequence[int], translator: Translator) -> str:
    """Say which of many pictures were left out. A person can ask for them by number."""
    return translator.say("Left out: picture {numbers}. Ask for one by its number.", numbers=translator.listed(numbers))


def _looked_at(pictures: Sequence[Picture], translator: Translator) -> str:
    pictures = sorted(pictures, key=lambda picture: picture.number)
    if len(pictures) > PICTURES_WITH_SIZES:
        numbers = translator.listed(picture.number for picture in pictures)
        return translator.say("Looked at pictures {numbers}", numbers=numbers)
    return translator.say(
        "Looked at {pictures}", pictures=translator.listed(_size(picture, translator) for picture in pictures)
    )


def _size(picture: Picture, translator: Translator) -> str:
    image = picture.image
    size = f"{image.width}×{image.height}"
    sent = "×".join(map(str, image.original_size))
    if image.tiles:
        size = translator.say("{size}, seen in {count} parts", size=sent, count=len(image.tiles))
        if image.shrunk:
            percent = max(1, min(99, round(100 * image.width / image.original_size[0])))
            size = translator.say("{size}, shrunk to {percent} %", size=size, percent=percent)
    elif image.shrunk:
        size = translator.say("{size}, shrunk from {sent}", size=size, sent=sent)
    if picture.part is not None:
        left, top, right, bottom = (round(end / 10) for end in picture.part.region.corners)
        size = translator.say(
            "{size}, cut out of picture {number}: {left}–{right} % from the left, {top}–{bottom} % from the top",
            size=size,
            number=picture.part.parent,
            left=left,
            right=right,
            top=top,
            bottom=bottom,
        )
    return translator.say("picture {number} ({size})", number=picture.number, size=size)
