"""Describe how people give commands on Slack, and what they are called there."""

import re

from bots.conversing.platform import Platform
from core.note import Note

SLACK = Platform(  # slash commands do not work in threads, so commands are plain words
    "slack",
    Note(
        "Send me a picture with your question. In a channel, mention me in the same message, or below a picture. Then "
        "ask more in the thread. These words alone are orders:"
    ),
    prefix="",
    person_id=re.compile(r"(?=.{2,30}$)[UWBCGT][A-Z0-9]*[0-9][A-Z0-9]*"),  # or an app, a channel or a workspace
    person="U123ABC45",
    whom=Note("Say who, by id or by a real mention: block U123ABC45."),
)
