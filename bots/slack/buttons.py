"""Make the buttons below an answer, as Slack's blocks."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bots.conversing.actions import AnswerAction
from bots.slack.place import Place
from core.i18n import Translator

MOST = 2000  # characters of a button's value, https://docs.slack.dev/reference/block-kit/block-elements/button-element


@dataclass(frozen=True, slots=True)
class Pressed:
    """A pressed button below the answer `key`, in the message `about`."""

    command: str
    key: str
    about: str


def while_growing(key: str, translator: Translator) -> list[dict[str, Any]]:
    """Return the Stop button. `key` names the answer, because a leftover button must not stop the next one."""
    return [_actions(_button("stop", translator.say("Stop"), key))]


def below(
    place: Place, key: str, actions: Sequence[AnswerAction], translator: Translator, refused: Pressed | None = None
) -> list[dict[str, Any]]:
    """Return the buttons below the finished answer `key`.

    Below the refusal of a closer look, "Try again" presses the `refused` button once more.
    """
    value = {"key": key, "asked": place.asked}
    buttons = [_button(action, action.label(translator), json.dumps(value)) for action in actions]
    command, again = "retry", value | ({"told": place.told} if place.told else {})
    if refused is not None:
        command, again = refused.command, again | {"key": refused.key, "about": refused.about}
    written = json.dumps(again, ensure_ascii=False)
    if len(written) <= MOST:
        buttons.append(_button(command, translator.say("Try again"), written))
    return [_actions(*buttons)] if buttons else []


def _actions(*buttons: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "elements": list(buttons)}


def _button(action: str, label: str, value: str) -> dict[str, Any]:
    text = {"type": "plain_text", "text": label}
    return {"type": "button", "action_id": str(action), "text": text, "value": value}
