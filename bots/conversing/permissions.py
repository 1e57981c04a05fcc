"""Know who may ask on a platform: the config's lists, and what admins have decided since, without a restart.

Decisions are stored in the database and never change the lists. Only the config names admins.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from enum import StrEnum

from bots.conversing.allow_list import AllowList
from bots.conversing.platform import Platform
from bots.conversing.store import Store
from core.note import Note
from core.person import Standing
from core.stored_message import StoredMessage
from core.trace import log_event

log = logging.getLogger(__name__)


class Decision(StrEnum):
    """What an admin may decide, by its command or its button."""

    ALLOW = "allow"
    IGNORE = "ignore"  # what a stranger asked; asking again tomorrow tells the admins again
    BLOCK = "block"
    UNBLOCK = "unblock"


_EFFECTS = {  # decision -> the new standing, and the only standing that it changes, if not all
    Decision.ALLOW: (Standing.ALLOWED, None),
    Decision.IGNORE: (Standing.IGNORED, Standing.WAITING),
    Decision.BLOCK: (Standing.BLOCKED, None),
    Decision.UNBLOCK: (None, Standing.BLOCKED),
}


class Permissions:
    """One platform's permissions. `answer` takes up a held message of somebody who was just let in."""

    def __init__(
        self, store: Store, platform: Platform, listed: AllowList, answer: Callable[[StoredMessage], None]
    ) -> None:
        self.listed = listed
        self._store = store
        self._platform = platform
        self._answer = answer

    async def standing(self, person: str, places: Collection[str] = ()) -> Standing | None:
        """Return whether a person is allowed or blocked in a chat with these ids. Strangers are neither: None."""
        if person in self.listed.admins:
            return Standing.ALLOWED
        decided = set((await self._store.standings(self._platform.name, [person, *places])).values())
        if Standing.BLOCKED in decided:
            return Standing.BLOCKED
        return Standing.ALLOWED if Standing.ALLOWED in decided or self.listed.has(person, *places) else None

    async def may(self, person: str, places: Collection[str] = ()) -> bool:
        return await self.standing(person, places) is Standing.ALLOWED

    async def decide(self, person: str, decision: Decision, by: str) -> Note:
        """Carry out what an admin decided, on disk and at once, and return what to say about it.

        `person` is an id as an admin may write it. `by` is the admin's id for the log; the caller has checked it.
        """
        person = person.strip().lstrip("@").upper()
        if not self._platform.person_id.fullmatch(person):  # a name would let in or block no one
            return self._platform.whom
        if decision is Decision.BLOCK and person in self.listed.admins:
            return Note("{person} is an admin and cannot be blocked.", person=person)
        standing, only_from = _EFFECTS[decision]
        done, held = await self._store.decide(self._platform.name, person, standing, only_from)
        if done:
            log_event(log, "access", platform=self._platform.name, decision=decision, person=person, by=by)
        for message in held:
            self._answer(message)
        return self._told(person, decision, done, held)

    def _told(self, person: str, decision: Decision, done: bool, held: Sequence[StoredMessage]) -> Note:
        slash = self._platform.prefix
        match decision:
            case Decision.ALLOW if held:
                return Note("{person} is let in, and what they asked is answered now.", person=person)
            case Decision.ALLOW:
                return Note("{person} is let in.", person=person)
            case Decision.IGNORE if done:
                return Note("{person} gets no answer to that.", person=person)
            case Decision.IGNORE:
                return Note("It has been decided already whether {person} is let in.", person=person)
            case Decision.BLOCK:
                return Note(
                    "{person} is blocked and gets no answer any more. {slash}unblock {person} takes it back.",
                    person=person,
                    slash=slash,
                )
            case Decision.UNBLOCK if done:
                return Note("{person} is not blocked any more.", person=person)
            case Decision.UNBLOCK:
                return Note("{person} was not blocked.", person=person)
