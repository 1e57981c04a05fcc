"""Make the buttons below an answer, as Telegram's keyboards."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from bots.conversing import strangers
from bots.conversing.answer_action import AnswerAction
from bots.conversing.permissions import Decision
from core.answer import Answer, Ending
from core.i18n import Translator

STOP, RETRY = "stop", "retry"
UNDELIVERED = "undelivered"  # appended to RETRY: Telegram did not deliver the file that was asked about
FORGOTTEN = "I do not remember that answer any more. Please send the picture again."
_DECISION = re.compile(rf"({Decision.ALLOW}|{Decision.IGNORE}):(-?[0-9]{{1,20}})")
COMMAND_BUTTONS = frozenset({RETRY, *AnswerAction})  # presses that are stored; Stop is handled at once


@dataclass(slots=True)
class Buttons:
    """The buttons of one answer.

    An answer that is not `stoppable` is not written by the model: it has no Stop, and no button repeats it. `again`
    returns the data of "Try again" below a refusal. `actions` are what else of the answer can be had. They are `hidden`
    in a channel, where everybody who reads it could press them.
    """

    translator: Translator
    stoppable: bool = True
    again: Callable[[], str] = lambda: RETRY
    actions: Sequence[AnswerAction] = ()
    hidden: bool = False

    def below(self, answer: Answer | None) -> InlineKeyboardMarkup | None:
        """Return the buttons below an answer. `answer` is None while it grows."""
        say = self.translator.say
        if self.hidden:
            return None
        if answer is None:
            return _keyboard([(say("Stop"), STOP)]) if self.stoppable else None
        buttons = [(action.label(self.translator), action.value) for action in self.actions]
        if self.stoppable and answer.ending in (Ending.FAILED, Ending.STOPPED, Ending.REPEATED):
            buttons.append((say("Try again"), self.again() if answer.ending is Ending.FAILED else RETRY))
        return _keyboard(buttons) if buttons else None


def decided_in(data: str) -> tuple[Decision, str] | None:
    """Return what a button below a question about a stranger decides about whom. None for other buttons."""
    found = _DECISION.fullmatch(data)
    return (Decision(found[1]), found[2]) if found else None


def about_stranger(person_id: str) -> InlineKeyboardMarkup:
    """Return the admins' buttons below the question whether somebody is let in."""
    return _keyboard([(label, f"{decision}:{person_id}") for label, decision in strangers.buttons()])


def _keyboard(buttons: list[tuple[str, str]]) -> InlineKeyboardMarkup:
    """Make a keyboard from labels and callback data, one button a row."""
    return InlineKeyboardMarkup([[InlineKeyboardButton(label, callback_data=data)] for label, data in buttons])
