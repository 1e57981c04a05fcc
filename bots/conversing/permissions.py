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

    async def standing(self, person_id: str, chat_ids: Collection[str] = ()) -> Standing | None:
        """Return whether a person is allowed or blocked in a chat with these ids. Strangers are neither: None."""
        if person_id in self.listed.admins:
            return Standing.ALLOWED
        decided = set((await self._store.standings(self._platform.name, [person_id, *chat_ids])).values())
        if Standing.BLOCKED in decided:
            return Standing.BLOCKED
        return Standing.ALLOWED if Standing.ALLOWED in decided or self.listed.has(person_id, *chat_ids) else None

    async def may(self, person_id: str, chat_ids: Collection[str] = ()) -> bool:
        return await self.standing(person_id, chat_ids) is Standing.ALLOWED

    async def decide(self, person_id: str, decision: Decision, by: str) -> Note:
        """Carry out what an admin decided, on disk and at once, and return what to say about it.

        `person_id` is an id as an admin may write it. `by` is the admin's id for the log; the caller has checked it.
        """
        person_id = person_id.strip().lstrip("@").upper()
        if not self._platform.person_id.fullmatch(person_id):  # a name would let in or block no one
            return self._platform.whom
        if decision is Decision.BLOCK and person_id in self.listed.admins:
            return Note("{person} is an admin and cannot be blocked.", person=person_id)
        standing, only_from = _EFFECTS[decision]
        done, held = await self._store.decide(self._platform.name, person_id, standing, only_from)
        if done:
            log_event(
                log,
                "access",
                platform=self._platform.name,
                decision=decision,
                person=self._platform.id(person_id),
                by=by,
            )
        for message in held:
            self._answer(message)
        return self._told(person_id, decision, done, held)

    def _told(self, person_id: str, decision: Decision, done: bool, held: Sequence[StoredMessage]) -> Note:
        slash = self._platform.prefix
        match decision:
            case Decision.ALLOW if held:
                return Note("{person} is let in, and what they asked is answered now.", person=person_id)
            case Decision.ALLOW:
                return Note("{person} is let in.", person=person_id)
            case Decision.IGNORE if done:
                return Note("{person} gets no answer to that.", person=person_id)
            case Decision.IGNORE:
                return Note("It has been decided already whether {person} is let in.", person=person_id)
            case Decision.BLOCK:
                return Note(
                    "{person} is blocked and gets no answer any more. {slash}unblock {person} takes it back.",
                    person=person_id,
                    slash=slash,
                )
            case Decision.UNBLOCK if done:
                return Note("{person} is not blocked any more.", person=person_id)
            case Decision.UNBLOCK:
                return Note("{person} was not blocked.", person=person_id)
