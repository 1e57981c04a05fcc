"""Answer people who are not let in: each chat gets one polite line an hour. Ask the admins about them."""

import logging
import time
from collections.abc import Callable

from bots.conversing.permissions import Decision
from bots.conversing.request import AnswerRequest
from core.bounded_dict import BoundedDict
from core.i18n import LANGUAGES, Translator
from core.note import Note
from core.trace import log_event

log = logging.getLogger(__name__)
BETWEEN_NOTICES_SECONDS = 3600
REMEMBERED_CHATS = 2000
NAME_CHARACTERS = 60  # of somebody's name, who may call themselves anything


class Strangers:
    """Remembers when chats got the line. `clock` counts seconds."""

    def __init__(self, platform: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._platform = platform
        self._clock = clock
        self._told: BoundedDict[str, float] = BoundedDict(REMEMBERED_CHATS)  # when, by chat

    def claim_notice(self, person: str, chat: str) -> bool:
        """Return whether to say the line now. Then it counts as said, and the log shows the ids to the operator."""
        now = self._clock()
        if now - self._told.get(chat, float("-inf")) < BETWEEN_NOTICES_SECONDS:
            return False
        self._told[chat] = now
        log_event(log, "refused", platform=self._platform, reason="stranger", person=person, chat=chat)
        return True


def stranger_line(who: str, translator: Translator) -> str:
    """Return what strangers are told. `who` are the ids that an admin needs."""
    return translator.say(
        "Sorry, I may not answer you yet. To be let in, tell the person who runs this bot: {who}", who=who
    )


def stranger_line_when_asked(who: str, translator: Translator) -> str:
    """Return what strangers are told if the admins were asked about them."""
    return translator.say(
        "Sorry, I may not answer you yet. I have asked the person who runs this bot: as soon as they let you in, I "
        "answer you here. They know you as {who}",
        who=who,
    )


def told_to_admins(request: AnswerRequest) -> str:
    """Return the question to the admins whether a stranger is let in, in all languages, as its readers are unknown."""
    name = " ".join(request.asker.called.split())[:NAME_CHARACTERS]
    note = Note(
        "Somebody new writes to me: {name} – {who}. Shall I answer them?",
        name=name,
        who=request.asker.known_as,
    )
    return in_all_languages(note)


def in_all_languages(note: Note) -> str:
    return "\n".join(Translator(language).explain(note) for language in LANGUAGES)


def buttons() -> tuple[tuple[str, Decision], ...]:
    """Return the labels of the buttons below that question, in all languages, and what each decides."""
    labels = {Decision.ALLOW: Note("Allow"), Decision.IGNORE: Note("Ignore")}
    return tuple(
        (" · ".join(Translator(language).explain(label) for language in LANGUAGES), decision)
        for decision, label in labels.items()
    )
