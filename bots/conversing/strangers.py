"""Answer people who are not on a platform's list: each chat gets one polite line an hour."""

import logging
import time
from collections.abc import Callable

from core.i18n import Translator
from core.latest import Latest
from core.trace import log_event

log = logging.getLogger(__name__)
BETWEEN_LINES_S = 3600
REMEMBERED_CHATS = 2000


class Strangers:
    """Remembers when chats got the line. `clock` counts seconds."""

    def __init__(self, platform: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._platform = platform
        self._clock = clock
        self._told: Latest[str, float] = Latest(REMEMBERED_CHATS)  # when, by chat

    def is_due(self, person: str, chat: str) -> bool:
        """Return whether to say the line now. Then it counts as said, and the log shows the ids to the operator."""
        now = self._clock()
        if now - self._told.get(chat, float("-inf")) < BETWEEN_LINES_S:
            return False
        self._told[chat] = now
        log_event(log, "refused", platform=self._platform, reason="stranger", person=person, chat=chat)
        return True


def line(person: str, chat: str, translator: Translator) -> str:
    """Return what strangers are told. A person alone with the bot may have one id for both."""
    who = person if chat == person else f"{person} ({chat})"
    return translator.say(
        "Sorry, I may not answer you yet. To be let in, tell the person who runs this bot: {who}", who=who
    )
