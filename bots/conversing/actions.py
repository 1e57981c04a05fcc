"""Find what can be done with an answer: which buttons stand below it, and the files that can be made of it."""

from bots.conversing.answer_action import BOXES, AnswerAction
from bots.conversing.events import File
from core import thoughts
from core.answer import Ending
from core.answers.boxes import find_boxes
from core.answers.inert import inert
from core.answers.tables import csv_file, find_tables
from core.answers.transcription import as_markdown
from core.conversation import Turn
from core.image import Image
from core.pictures.images import KEPT_ORIGINAL_RATIO, MOST_IMAGE_TOKENS

FILE_CHARACTERS = 3000  # a longer answer is offered as a file
SMALL_PRINT_FACTOR = 4  # times the tokens of a picture, for small print
SHARPER_THAN_USUAL = 2.5  # times: more than the sharpness that a conversation may choose
TOKEN_PIXELS = 32 * 32


def available_actions(turn: Turn | None, image_tokens: int = MOST_IMAGE_TOKENS) -> tuple[AnswerAction, ...]:
    """Return what can be done with an answer.

    That is nothing if it failed, and no closer look if it had more than `image_tokens`.
    """
    if turn is None or turn.answer is None or turn.answer.ending is Ending.FAILED:
        return ()
    images = [picture.image for picture in turn.pictures]
    found = [AnswerAction.GO_ON] if turn.answer.ending is Ending.LENGTH else []
    said = thoughts.without(turn.answer.text)
    if find_tables(said):
        found.append(AnswerAction.CSV)
    if len(said) > FILE_CHARACTERS:
        found.append(AnswerAction.TEXT)
    if any(_lost_a_lot(image) and not _is_sharpened(image, image_tokens) for image in images):
        found.append(AnswerAction.SMALL_PRINT)
    found += BOXES[: len(find_boxes(turn.answer.text).boxes)]
    return tuple(found)


def file_of(turn: Turn, action: AnswerAction) -> File | None:
    """Return a file made from the answer, or None if it has no such file."""
    text = thoughts.without(turn.answer.text) if turn.answer else ""
    if action is AnswerAction.CSV:
        tables = find_tables(text)
        return File("table.csv", csv_file(tables)) if tables else None
    return File("answer.md", inert(as_markdown(text, [turn.text])).encode()) if text else None


def _lost_a_lot(image: Image) -> bool:
    width, height = image.original_size
    return width * height > KEPT_ORIGINAL_RATIO * image.width * image.height


def _is_sharpened(image: Image, image_tokens: int) -> bool:
    return image.width * image.height > SHARPER_THAN_USUAL * image_tokens * TOKEN_PIXELS
