"""Tell who sent a stored message, for what an operator does about one person."""

import json

from bots.telegram.platform import TELEGRAM


def stored_author(payload: str) -> str:
    """Return the person, or the chat in whose name somebody wrote. Raises what reading an unknown payload raises."""
    for part in json.loads(payload).values():
        if isinstance(part, dict) and "from" in part:
            sender = part["from"]
            return TELEGRAM.id(str(part["chat"]["id"] if sender["is_bot"] else sender["id"]))
    raise ValueError("it has no sender")
