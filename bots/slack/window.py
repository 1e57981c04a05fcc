"""The window of the shortcut, in which somebody types a question about a message."""

import json
from dataclasses import asdict, replace

from pydantic import TypeAdapter

from bots.slack.events import Json, Submission
from bots.slack.place import Place
from core.i18n import Translator

SHORTCUT = "ask_about_picture"
_PLACE = TypeAdapter(Place)


def question_window(place: Place, translator: Translator) -> Json:
    return {
        "type": "modal",
        "callback_id": SHORTCUT,
        "private_metadata": json.dumps(asdict(place)),
        "title": {"type": "plain_text", "text": translator.say("Ask about a picture")},
        "submit": {"type": "plain_text", "text": translator.say("Ask")},
        "close": {"type": "plain_text", "text": translator.say("Cancel")},
        "blocks": [
            {
                "type": "input",
                "block_id": "question",
                "label": {"type": "plain_text", "text": translator.say("Your question")},
                "element": {"type": "plain_text_input", "action_id": "text", "multiline": True, "max_length": 3000},
            }
        ],
    }


def place_of(submission: Submission) -> Place:
    """Where it was asked, with what was typed. Raises `pydantic.ValidationError`."""
    return replace(_PLACE.validate_json(submission.view.private_metadata), told=submission.question)


def unknown_window(translator: Translator) -> Json:
    """Return the window that says that one of an older version or another app does not work."""
    sentence = translator.say("I do not remember that answer any more. Please send the picture again.")
    return {
        "type": "modal",
        "title": {"type": "plain_text", "text": translator.say("Ask about a picture")},
        "close": {"type": "plain_text", "text": translator.say("Cancel")},
        "blocks": [{"type": "section", "text": {"type": "plain_text", "text": sentence}}],
    }
