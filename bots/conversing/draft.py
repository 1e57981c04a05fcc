"""Define a message being written on a platform, as the delivery loop sees it, and its errors."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeVar

from core.conversation import Answer, Event
from core.i18n import Translator
from core.model.description import ModelDescription

Chunk = TypeVar("Chunk")


class RetryLater(Exception):
    """The platform asks to wait, or cannot be reached. Try again after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds:.0f} s")
        self.seconds = seconds


class WriteFailed(RetryLater):
    """Like `RetryLater`, but the platform did not ask for it: the write failed, or its outcome is unknown."""


class Refused(Exception):
    """The platform will never take this message: the chat is gone or the bot is blocked."""


class NotWritable(Refused):
    """The bot may not write in this chat, but the asker can be told elsewhere."""


class Gone(Exception):
    """This message is deleted, or cannot be edited. Its chat still exists, so another message can replace it."""


ASK = "ask_"  # begins the value of a button that asks what a command stands for
SET = "set_"  # begins that of a button that changes a setting, and may be pressed again


class AnswerAction(StrEnum):
    """A button under an answer; its value is the command that it stands for."""

    CSV = "csv"
    TEXT = "text"
    SMALL_PRINT = "smallprint"
    GO_ON = "go_on"
    BOX_1 = "box1"
    BOX_2 = "box2"
    BOX_3 = "box3"
    BOX_4 = "box4"
    DESCRIBE = f"{ASK}describe"
    READ_TEXT = f"{ASK}text"
    TABLE = f"{ASK}table"
    TRANSLATE = f"{ASK}translate"
    SHORT_ANSWERS = f"{SET}short"
    NORMAL_ANSWERS = f"{SET}normal"
    LONG_ANSWERS = f"{SET}long"
    SHARPER = f"{SET}sharper"
    LESS_SHARP = f"{SET}less_sharp"
    SHOW_RECEIPT = f"{SET}receipt"
    HIDE_RECEIPT = f"{SET}no_receipt"
    KEEP = f"{SET}keep"
    KEEP_NOTHING = f"{SET}keep_nothing"

    def label(self, translator: Translator) -> str:
        match self:
            case AnswerAction.CSV:
                return translator.say("Table as CSV")
            case AnswerAction.TEXT:
                return translator.say("As a text file")
            case AnswerAction.SMALL_PRINT:
                return translator.say("Read the small print")
            case AnswerAction.GO_ON:
                return translator.say("Go on")
            case AnswerAction.BOX_1 | AnswerAction.BOX_2 | AnswerAction.BOX_3 | AnswerAction.BOX_4:
                return translator.say("Look closer at {number}", number=BOXES.index(self) + 1)
            case AnswerAction.DESCRIBE:
                return translator.say("Describe")
            case AnswerAction.READ_TEXT:
                return translator.say("Read text")
            case AnswerAction.TABLE:
                return translator.say("As a table")
            case AnswerAction.TRANSLATE:
                return translator.say("Translate")
            case AnswerAction.SHORT_ANSWERS:
                return translator.say("Short answers")
            case AnswerAction.NORMAL_ANSWERS:
                return translator.say("Answers of normal length")
            case AnswerAction.LONG_ANSWERS:
                return translator.say("Long answers")
            case AnswerAction.SHARPER:
                return translator.say("Look at pictures more sharply")
            case AnswerAction.LESS_SHARP:
                return translator.say("Look at pictures as usual")
            case AnswerAction.SHOW_RECEIPT:
                return translator.say("Show the line below answers")
            case AnswerAction.HIDE_RECEIPT:
                return translator.say("Hide the line below answers")
            case AnswerAction.KEEP:
                return translator.say("Keep what is asked here")
            case AnswerAction.KEEP_NOTHING:
                return translator.say("Keep nothing")


BOXES = (AnswerAction.BOX_1, AnswerAction.BOX_2, AnswerAction.BOX_3, AnswerAction.BOX_4)  # of an answer's boxes
FOLLOW_UPS = (AnswerAction.SMALL_PRINT, AnswerAction.GO_ON, *BOXES)  # the model answers them, about the answer above
FIRST_QUESTIONS = (AnswerAction.DESCRIBE, AnswerAction.READ_TEXT, AnswerAction.TABLE, AnswerAction.TRANSLATE)


def first_questions(model: ModelDescription) -> tuple[AnswerAction, ...]:
    """Return the buttons below a picture that came without words."""
    return tuple(action for action in FIRST_QUESTIONS if action.removeprefix(ASK) in model.first_questions)


@dataclass(frozen=True, slots=True)
class File:
    """A file with an answer, told among its events. The answer's text may be empty."""

    name: str
    data: bytes = field(repr=False)
    caption: str = ""

    @property
    def is_picture(self) -> bool:
        return self.name.endswith(".png")


Tell = Callable[[Event | File], None]  # never blocks
Ask = Callable[[Tell], Awaitable[Answer]]  # tells the events of an answer and returns it
Record = Callable[[Sequence[str]], Awaitable[None]]  # writes down the ids of the messages that carry an answer


class Draft(Protocol[Chunk]):
    """A message being written on some platform; use it with `async with`. A `Chunk` is what one message can hold.

    Chunks compare by content. Every method raises `RetryLater`, `Refused` or (`edit`) `Gone`, and no error of its SDK.
    """

    async def __aenter__(self) -> object: ...

    async def __aexit__(self, *_: object) -> None: ...

    keeps_old_answer: bool  # the messages to edit hold an earlier answer, which an error must not replace

    @property
    def interval(self) -> float:
        """Seconds until the next edit of a growing answer."""
        ...

    @property
    def scarce(self) -> bool:
        """Whether so few writes are allowed now that none may be wasted.

        Then nothing is posted before there are words, and an answer that is complete by then is posted once.
        """
        ...

    def offer(self, actions: tuple[AnswerAction, ...]) -> None:
        """Set the actions for which the finished answer gets buttons."""
        ...

    def split(self, text: str) -> list[Chunk]:
        """Return the whole text as messages, in order. A longer text only ever changes the last chunks."""
        ...

    async def status(self, sentence: str) -> bool:
        """Show what is happening if the platform has a place of its own for it; otherwise return False.

        Called once at the start with an empty sentence: the question was received.
        """
        ...

    async def preview(self, text: str) -> bool:
        """Show a growing answer if the platform has a place of its own for it; otherwise return False."""
        ...

    async def post(self, chunk: Chunk | None = None) -> str:
        """Post a placeholder, or the first words if writes are scarce. Return the platform's id of it."""
        ...

    async def edit(self, sent: str, chunk: Chunk, answer: Answer | None, last: bool) -> None:
        """Make the message say `chunk`. `answer` is None while it is being written; `last` carries the buttons."""
        ...

    async def send(self, content: Chunk | File, answer: Answer, last: bool) -> str:
        """Post a finished message without a placeholder, and return the platform's id.

        This is for messages that cannot be edited, or while writes are scarce. If it is repeated after a crash or a
        lost reply, the message appears twice, so nothing else is sent this way.
        """
        ...

    async def attach(self, sent: str, file: File) -> None:
        """Turn the placeholder `sent` into a message with this file.

        It may be called again for the same one after a crash.
        """
        ...

    async def remove(self, sent: str) -> None:
        """Delete a message that the answer no longer needs. It may be gone already."""
        ...
