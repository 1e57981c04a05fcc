"""Offer first questions about a picture as buttons: the same as on the other platforms, and one that is filled in."""

from dataclasses import dataclass

from bots.conversing.answer_action import first_questions
from bots.conversing.commands import SHORTHANDS, pressed_question
from core.i18n import Translator
from core.model.description import ModelDescription


@dataclass(frozen=True, slots=True)
class FirstQuestion:
    """A button and its question. `words` are the part of the question that people replace; without them it is asked."""

    label: str
    question: str
    words: str = ""


def offered(model: ModelDescription, translator: Translator) -> list[FirstQuestion]:
    """Return the questions that a model can answer, in the visitor's language."""
    found = [
        FirstQuestion(action.label(translator), pressed_question(action, translator) or "")
        for action in first_questions(model)
    ]
    if "where" in model.first_questions:
        words = translator.say("the total")
        question = SHORTHANDS["where"].asked(words, translator) or ""
        found.append(FirstQuestion(translator.say("Where is …?"), question, words))
    return found
