"""Describe how people give commands on Telegram, and what they are called there."""

import re

from bots.conversing.platform import Platform
from core.note import Note

TELEGRAM = Platform(
    "telegram",
    Note(
        "Send me a picture with your question, or reply to a picture and ask about it. "
        "Then you can simply ask more.\n\n"
        "You can send several pictures at once. I number them, so that you can say: compare pictures 1 and 2. "
        "Small print stays sharper in a picture that is sent as a file than in a photo. PDF files work too.\n\n"
        "In a group, mention me or reply to me."
    ),
    prefix="/",
    person_id=re.compile(r"-?[0-9]{1,20}"),  # negative for channels and groups, in whose name a person may write
    person="12345",
    whom=Note("Say who, by id: /block 12345, or reply to them with /block."),
)
