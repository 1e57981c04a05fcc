"""Describe how people give commands on Telegram, and what they are called there."""

import re

from bots.conversing.platform import Platform
from core.note import Note

_SEVERAL = Note(
    "I number the pictures of an album, so that you can say: compare pictures 1 and 2. Small print stays sharper in a "
    "picture that is sent as a file than in a photo. PDF files work too."
)
_EDITS = Note("If you edit a question soon, I answer it again in the place of its answer.")

TELEGRAM = Platform(
    "telegram",
    (
        Note(
            "Send or forward me a picture and ask about it, below it or in a reply: What is the total? "
            "Then you can simply ask more."
        ),
        _SEVERAL,
        _EDITS,
    ),
    prefix="/",
    person_id=re.compile(r"-?[0-9]{1,20}"),  # negative for channels and groups, in whose name a person may write
    person="12345",
    whom=Note("Say who, by id: /block 12345, or reply to them with /block."),
    rate_in_groups=False,  # only a group's admins are told of reactions
)


def in_a_group(name: str) -> tuple[Note, ...]:
    """Return what the help says above the commands in a group, where the bot, called `name`, has to be named."""
    return (
        Note(
            "In a group I answer only when I am named. Send a picture with “{bot} What is the total?” below it, or "
            "reply so to a picture. To ask more, reply to my answer.",
            bot=f"@{name}",
        ),
        _SEVERAL,
        _EDITS,
        Note("Write commands with my name: {command}, for example.", command=f"/pictures@{name}"),
    )
