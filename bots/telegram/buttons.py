"""Make the buttons below an answer, as Telegram's keyboards."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from bots.conversing.draft import AnswerAction
from core.conversation import Answer, Ending
from core.i18n import Translator

STOP, RETRY = "stop", "retry"
UNDELIVERED = "undelivered"  # appended to RETRY: Telegram did not deliver the file that was asked about
FORGOTTEN = "I do not remember that answer any more. Please send the picture again."
ORDERS = frozenset({RETRY, *AnswerAction})  # presses that are stored; Stop is handled at once


@dataclass(slots=True)
class Buttons:
    """The buttons of one answer.

    An answer that is not `stoppable` is not written by the model: it has no Stop, and no button repeats it. `again`
    returns the data of "Try again" below a refusal. `actions` are what else of the answer can be had.
    """

    translator: Translator
    stoppable: bool = True
    again: Callable[[], str] = lambda: RETRY
    actions: Sequence[AnswerAction] = ()

    def below(self, answer: Answer | None) -> InlineKeyboardMarkup | None:
        """Return the buttons below an answer. `answer` is None while it grows."""
        say = self.translator.say
        if answer is None:
            return _keyboard([(say("Stop"), STOP)]) if self.stoppable else None
        buttons = [(action.label(self.translator), action.value) for action in self.actions]
        if self.stoppable and answer.ending in (Ending.FAILED, Ending.STOPPED, Ending.REPEATED):
            buttons.append((say("Try again"), self.again() if answer.ending is Ending.FAILED else RETRY))
        return _keyboard(buttons) if buttons else None


def _keyboard(buttons: list[tuple[str, str]]) -> InlineKeyboardMarkup:
    """Make a keyboard from labels and callback data, one button a row."""
    return InlineKeyboardMarkup([[InlineKeyboardButton(label, callback_data=data)] for label, data in buttons])
