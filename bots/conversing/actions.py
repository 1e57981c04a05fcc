"""Add to an answer what goes with it: drawn boxes, the line below, and buttons. The same on every platform."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from bots.conversing.answer_action import BOXES, AnswerAction
from bots.conversing.events import Ask, File, Tell
from core import thoughts
from core.answer import Answer, Ending
from core.answers.boxes import MarkedPicture, find_boxes, mark, visible
from core.answers.inert import inert
from core.answers.receipt import made_room, receipt
from core.answers.tables import csv_file, find_tables
from core.answers.transcription import as_markdown
from core.conversation import Conversation, Picture, Turn
from core.errors import BotError
from core.events import BeganAgain, ConversationLoaded, Event, PicturesRemoved, Piece, Thought
from core.i18n import Translator
from core.image import Image
from core.pictures.images import KEPT_ORIGINAL_RATIO, MOST_IMAGE_TOKENS

log = logging.getLogger(__name__)
FILE_CHARACTERS = 3000  # a longer answer is offered as a file
SMALL_PRINT_FACTOR = 4  # times the tokens of a picture, for small print
SHARPER_THAN_USUAL = 2.5  # times: more than the sharpness that a conversation may choose
TOKEN_PIXELS = 32 * 32


@dataclass(frozen=True, slots=True)
class DisplayOptions:
    """What an adapter and its operator want to show."""

    files: bool = False
    receipt: bool = True
    markdown: bool = True  # otherwise the platform formats the answer itself


async def ask_for_display(
    ask: Ask,
    turn_of: Callable[[], Awaitable[Turn | None]],
    display: DisplayOptions,
    notes: Sequence[str],
    translator: Translator,
    tell: Tell,
    introduction: str = "",
) -> Answer:
    """Tell an answer's events, and return it, as people see them: without the JSON of boxes, in Markdown.

    Grounding is drawn on its picture if files can be shown. `turn_of` returns the finished turn; `notes` are sentences
    about what was left out. `introduction` is said below the first answer of a conversation.
    """
    raw = told = thought = void = ""
    asked = Conversation("")  # up to this question

    def next_piece(growing: bool) -> str:
        nonlocal told
        now = as_markdown(visible(raw), asked.questions, growing) if display.markdown else visible(raw)
        if not now.startswith(told):
            return ""
        piece, told = now[len(told) :], now
        return piece

    def next_thought() -> str:
        nonlocal thought
        before, thought = thought, thoughts.so_far(raw)
        return thought[len(before) :]

    def show(event: Event | File) -> None:
        nonlocal raw, told, thought, void, notes, asked
        match event:
            case ConversationLoaded(conversation):
                asked = conversation
                tell(event)
            case Piece(text):
                raw += text
                if not void and (void := thoughts.told_as_answer(raw)):
                    told = ""
                    tell(BeganAgain(void))
                if not display.markdown and (more := next_thought()):  # chats cannot fold them
                    tell(Thought(more))
                if piece := next_piece(growing=True):
                    tell(Piece(piece))
            case BeganAgain():
                raw = told = thought = void = ""
                tell(event)
            case PicturesRemoved(numbers) if display.markdown:
                notes = [*notes, made_room(numbers, translator)]
            case _:
                tell(event)

    try:
        answer = await ask(show)
        if not display.markdown:
            return answer
        turn = await turn_of()
        if introduction and len(asked.turns) == 1:
            notes = [*notes, introduction]
        if display.files and turn is not None and find_boxes(answer.text).boxes:
            for marked in await _marked(asked.whole(turn), asked.pictures):
                caption = translator.say("Picture {number}", number=marked.number)
                tell(File(f"picture-{marked.number}.png", marked.png, caption))
    except Exception:  # what was held back is shown, and an open code block is closed, before a sentence follows
        if piece := next_piece(growing=False):
            tell(Piece(piece))
        raise
    return replace(answer, text=_words(answer, turn, asked, display, notes, translator))


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


async def _marked(turn: Turn, pictures: Sequence[Picture]) -> Sequence[MarkedPicture]:
    try:
        return await mark(turn, pictures)
    except BotError as error:  # the answer is saved, and good without boxes
        log.warning("boxes could not be drawn: %s", error)
        return ()


def _words(
    answer: Answer,
    turn: Turn | None,
    asked: Conversation,
    display: DisplayOptions,
    notes: Sequence[str],
    translator: Translator,
) -> str:
    grounding = find_boxes(answer.text)
    words = as_markdown(grounding.text, asked.questions) or grounding.words(translator)
    shows = display.receipt and asked.settings.receipt
    line = receipt(turn, translator, notes) if shows and turn is not None else " · ".join(notes)
    if not line or not words.strip():
        return words
    return f"{words}\n\n{line}" if "*" in line else f"{words}\n\n*{line}*"  # a file's name may contain an asterisk


def _lost_a_lot(image: Image) -> bool:
    width, height = image.original_size
    return width * height > KEPT_ORIGINAL_RATIO * image.width * image.height


def _is_sharpened(image: Image, image_tokens: int) -> bool:
    return image.width * image.height > SHARPER_THAN_USUAL * image_tokens * TOKEN_PIXELS
