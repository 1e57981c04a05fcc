"""The one small line under an answer: which pictures were looked at, in which size, how long, and what was left out."""

from collections.abc import Sequence

from core.conversation import MOST_PICTURES, Picture, Turn
from core.i18n import Translator

LONG = 10.0  # seconds; a quicker answer's time is not worth a line
FEW = 3  # pictures whose sizes still fit on the line


def receipt(turn: Turn, translator: Translator, notes: Sequence[str] = ()) -> str:
    """Empty when nothing is worth saying: one picture, as it was sent, answered quickly.

    `notes` are sentences about what was skipped, such as `core.pictures.documents.Document.note`.
    """
    seconds = turn.answer.figures.total_s if turn.answer else 0.0
    notes = [note for note in notes if note]
    shrunk = any(picture.image.shrunk for picture in turn.pictures)
    if not (notes or shrunk or len(turn.pictures) > 1 or seconds >= LONG):
        return ""
    parts = [_looked_at(turn.pictures, translator)] if turn.pictures else []
    if seconds >= 1:
        parts.append(translator.say("{seconds} s", seconds=round(seconds)))
    return " · ".join([*parts, *notes])


def made_room(numbers: Sequence[int], translator: Translator) -> str:
    """Which pictures a conversation that had too many keeps no longer."""
    return translator.say(
        "Removed to make room: picture {numbers}. A conversation keeps {limit} pictures.",
        numbers=translator.listed(numbers),
        limit=MOST_PICTURES,
    )


def not_looked_at(names: Sequence[str], translator: Translator) -> str:
    """Which files beside the pictures are none."""
    return translator.say("Not looked at: {names}.", names=translator.listed(names))


def left_out(numbers: Sequence[int], translator: Translator) -> str:
    """Which pictures of many were left out; they come when somebody names them."""
    return translator.say("Left out: picture {numbers}. Ask for one by its number.", numbers=translator.listed(numbers))


def _looked_at(pictures: Sequence[Picture], translator: Translator) -> str:
    pictures = sorted(pictures, key=lambda picture: picture.number)
    if len(pictures) > FEW:
        numbers = translator.listed(picture.number for picture in pictures)
        return translator.say("Looked at pictures {numbers}", numbers=numbers)
    return translator.say(
        "Looked at {pictures}", pictures=translator.listed(_size(picture, translator) for picture in pictures)
    )


def _size(picture: Picture, translator: Translator) -> str:
    image = picture.image
    size = f"{image.width}×{image.height}"
    if not image.shrunk:
        return translator.say("picture {number} ({size})", number=picture.number, size=size)
    sent = "×".join(map(str, image.original_size))
    return translator.say("picture {number} ({size}, shrunk from {sent})", number=picture.number, size=size, sent=sent)
