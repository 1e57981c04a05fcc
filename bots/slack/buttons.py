"""Make the buttons below an answer, as Slack's blocks."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bots.conversing import strangers
from bots.conversing.answer_action import AnswerAction
from bots.slack.place import Place
from core.answer import Answer, Ending
from core.i18n import Translator

MOST = 2000  # characters of a button's value, https://docs.slack.dev/reference/block-kit/block-elements/button-element


@dataclass(frozen=True, slots=True)
class Pressed:
    """A pressed button below the answer `key`, in the message `about`."""

    command: str
    key: str
    about: str


@dataclass(slots=True)
class Buttons:
    """The buttons below the answer `key`. Only the model's answers are `stoppable`, and can be asked for again.

    If a retry fails, "Try again" repeats `pressed`. `actions` are the extra buttons, None until they are known.
    """

    place: Place
    key: str
    translator: Translator
    stoppable: bool = True
    pressed: Pressed | None = None
    actions: Sequence[AnswerAction] | None = None

    def below(self, answer: Answer | None) -> list[dict[str, Any]]:
        """Return the buttons below an answer. `answer` is None while it grows.

        The key tells which answer is stopped: a button that stayed behind must not stop the next one.
        """
        if answer is None:
            return [_actions(_button("stop", self.translator.say("Stop"), self.key))] if self.stoppable else []
        unanswered = answer.ending in (Ending.FAILED, Ending.STOPPED)
        if self.actions is None and not (self.stoppable and unanswered):
            return []  # a sentence of the bot's own, which would be the same again
        value = {"key": self.key, "asked": self.place.asked}
        buttons = [_button(it, it.label(self.translator), json.dumps(value)) for it in self.actions or ()]
        command, again = "retry", value | ({"told": self.place.told} if self.place.told else {})
        if self.pressed is not None and answer.ending is Ending.FAILED:
            command, again = self.pressed.command, again | {"key": self.pressed.key, "about": self.pressed.about}
        written = json.dumps(again, ensure_ascii=False)
        if self.stoppable and len(written) <= MOST:
            buttons.append(_button(command, self.translator.say("Try again"), written))
        return [_actions(*buttons)] if buttons else []


def about_stranger(text: str, person_id: str) -> list[dict[str, Any]]:
    """Return the question to the admins whether somebody is let in, with its buttons, as blocks."""
    buttons = [_button(decision, label, person_id) for label, decision in strangers.buttons()]
    return [section(text), _actions(*buttons)]


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _actions(*buttons: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "elements": list(buttons)}


def _button(action: str, label: str, value: str) -> dict[str, Any]:
    text = {"type": "plain_text", "text": label}
    return {"type": "button", "action_id": str(action), "text": text, "value": value}
