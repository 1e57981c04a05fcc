"""Describe how people give commands on Slack, and what they are called there."""

import re

from bots.conversing.platform import Platform
from core.note import Note

_SEVERAL = Note(
    "I number the pictures of a conversation, so that you can say: compare pictures 1 and 2. PDF files work too."
)
_EDITS = Note("If you edit a question soon, I answer it again in the place of its answer. If you delete it, I stop.")

SLACK = Platform(  # slash commands do not work in threads, so commands are plain words
    "slack",
    (
        Note("Send me a picture with your question: What is the total? Then you can simply ask more."),
        _SEVERAL,
        _EDITS,
        Note("These words alone are commands:"),
    ),
    prefix="",
    person_id=re.compile(r"(?=.{2,30}$)[UWBCGT][A-Z0-9]*[0-9][A-Z0-9]*"),  # or an app, a channel or a workspace
    person="U123ABC45",
    whom=Note("Say who, by id or by a real mention: block U123ABC45."),
)


def in_a_channel(name: str, *, follows: bool) -> tuple[Note, ...]:
    """Return what the help says above the commands in a channel, where the bot, called `name`, has to be mentioned.

    It `follows` a thread without being mentioned again, where the operator wants that.
    """
    bot = f"@{name}"
    asked = Note(
        "In a channel I answer only when I am mentioned. Send a picture with “{bot} What is the total?”, or write so "
        "in the thread below a picture.",
        bot=bot,
    )
    if follows:
        return asked, Note("Then simply ask more in the thread."), _SEVERAL, _EDITS, SLACK.introduction[-1]
    return (
        asked,
        Note("Ask more in the thread, with a mention again: “{bot} And the tax?”", bot=bot),
        _SEVERAL,
        _EDITS,
        Note("With a mention, as in “{bot} pictures”, these words alone are commands:", bot=bot),
    )
