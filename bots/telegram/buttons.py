"""Make the buttons below an answer, as Telegram's keyboards."""

from collections.abc import Sequence

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from bots.conversing.actions import AnswerAction
from core.conversation import Ending
from core.i18n import Translator

STOP, RETRY = "stop", "retry"
UNDELIVERED = "undelivered"  # appended to RETRY: Telegram did not deliver the file that was asked about
FORGOTTEN = "I do not remember that answer any more. Please send the picture again."
ORDERS = frozenset({RETRY, *AnswerAction})  # presses that are stored; Stop is handled at once


def while_growing(translator: Translator) -> InlineKeyboardMarkup:
    return _keyboard([(translator.say("Stop"), STOP)])


def below(
    actions: Sequence[AnswerAction], ending: Ending, again: str, translator: Translator
) -> InlineKeyboardMarkup | None:
    """Return the buttons below a finished answer. `again` is the data of "Try again" below a refusal."""
    buttons = [(action.label(translator), action.value) for action in actions]
    if ending in (Ending.FAILED, Ending.STOPPED, Ending.REPEATED):
        buttons.append((translator.say("Try again"), again if ending is Ending.FAILED else RETRY))
    return _keyboard(buttons) if buttons else None


def _keyboard(buttons: list[tuple[str, str]]) -> InlineKeyboardMarkup:
    """Make a keyboard from labels and callback data, one button a row."""
    return InlineKeyboardMarkup([[InlineKeyboardButton(label, callback_data=data)] for label, data in buttons])
