"""The buttons below an answer, as Slack's blocks."""

import json
from collections.abc import Sequence
from typing import Any

from bots.extras import Offer
from bots.slack.status import Place
from core.voice import Voice

MOST = 2000  # characters of a button's value, https://docs.slack.dev/reference/block-kit/block-elements/button-element


def while_growing(place: Place, voice: Voice) -> list[dict[str, Any]]:
    return [_actions(_button("stop", voice.say("Stop"), place.thread))]


def below(place: Place, key: str, offers: Sequence[Offer], voice: Voice) -> list[dict[str, Any]]:
    """What else of a finished answer can be had; `key` says which answer it is."""
    value = {"key": key, "asked": place.asked}
    buttons = [_button(offer, offer.label(voice), json.dumps(value)) for offer in offers]
    again = json.dumps(value | ({"told": place.told} if place.told else {}), ensure_ascii=False)
    if len(again) <= MOST:
        buttons.append(_button("retry", voice.say("Try again"), again))
    return [_actions(*buttons)] if buttons else []


def _actions(*buttons: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "elements": list(buttons)}


def _button(action: str, label: str, value: str) -> dict[str, Any]:
    text = {"type": "plain_text", "text": label}
    return {"type": "button", "action_id": str(action), "text": text, "value": value}
