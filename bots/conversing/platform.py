"""How people order things of the bot on a chat platform, and what people are called there."""

import re
from dataclasses import dataclass

from core.note import Note


@dataclass(frozen=True, slots=True)
class Platform:
    """`introduction` stands above the commands in the help. `prefix` stands before a command, as in /new; where it is
    empty, commands are plain words, in any of our languages. `person_id` is what a whole id of a person looks like,
    `person` an example of one, and `whom` what is said to an admin who names nobody."""

    name: str
    introduction: Note
    prefix: str
    person_id: re.Pattern[str]
    person: str
    whom: Note
