"""Describe how people give commands on a chat platform, and what they are called there."""

import re
from dataclasses import dataclass

from core.note import Note

HELP = Note("What I can do")


@dataclass(frozen=True, slots=True)
class Platform:
    """How a platform's people order things.

    The paragraphs of `introduction` stand above the commands in the help of a private chat. `prefix` stands before a
    command, as in /new; if it is empty, commands are plain words, in any of our languages. `person_id` is what a whole
    id of a person looks like, `person` an example of one, and `whom` what is said to an admin who names no one. Thumbs
    `rate_in_groups`, where the platform tells the bot of them there. A platform without commands in words, as the page,
    has only a name.
    """

    name: str
    introduction: tuple[Note, ...] = (HELP,)
    prefix: str = ""
    person_id: re.Pattern[str] = re.compile("(?!)")
    person: str = ""
    whom: Note = HELP
    rate_in_groups: bool = True

    def id(self, rest: str) -> str:
        """Return an id of a conversation, a message or a person. It is opaque."""
        return f"{self.name}:{rest}"

    def owns(self, id_: str) -> bool:
        return id_.startswith(self.id(""))
