"""Define the buttons below an answer, and what they say."""

from enum import StrEnum

from core.i18n import Translator
from core.model.description import ModelDescription

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
