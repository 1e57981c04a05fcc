"""Describe how people give commands on a chat platform, and what they are called there."""

import re
from dataclasses import dataclass

from core.note import Note


@dataclass(frozen=True, slots=True)
class Platform:
    """A chat platform's words.

    `introduction` precedes the commands in the help. `prefix` precedes a command, as in /new; if it is empty, commands
    are plain words in any of our languages. `person_id` matches a whole id of a person, `person` is an example, and
    `whom` is said to an admin who names no one.
    """

    name: str
    introduction: Note
    prefix: str
    person_id: re.Pattern[str]
    person: str
    whom: Note
