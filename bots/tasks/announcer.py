"""Tell the admins, in the chats that work, when something fails and when it works again: each once.

The readers are unknown, so every message is in all languages, followed by the reason from the operator's page.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bots.conversing.health import Health
from core.errors import BotError
from core.i18n import LANGUAGES, Translator

log = logging.getLogger(__name__)
PERSIST_SECONDS = 60.0  # shorter trouble is not told
SEND_ATTEMPTS = 5  # to the admins of one platform
NOTICES = {  # part -> what is told when it fails, and when it is over
    "database": (
        BotError("I cannot save anything, so nothing can be answered."),
        BotError("I can save things again."),
    ),
    "model": (BotError("The model does not work, so nothing can be answered."), BotError("The model works again.")),
    "disk": (BotError("The disk is nearly full."), BotError("There is room on the disk again.")),
    "limit": (
        BotError("What I may keep is nearly used up."),
        BotError("There is room again in what I may keep."),
    ),
    "clock": (
        BotError("The server's clock may be wrong, so no old conversations are removed."),
        BotError("The server's clock is right again."),
    ),
}


@dataclass(slots=True)
class _Alert:
    begins: BotError
    ends: BotError
    reason: str
    since: float
    told: set[str] = field(default_factory=set)  # platforms whose admins know
    over: float | None = None  # since when


class Announcer:
    def __init__(self, health: Health, clock: Callable[[], float] = time.monotonic) -> None:
        self._health = health
        self._clock = clock
        self._alerts: dict[str, _Alert] = {}
        self._failures: dict[tuple[str, str], int] = {}  # by alert and platform

    async def step(self) -> None:
        """Look at the service's health, and tell about new trouble that lasts."""
        now, wrong = self._clock(), self._wrong()
        for name, (begins, ends, reason) in wrong.items():
            alert = self._alerts.setdefault(name, _Alert(begins, ends, reason, now))
            alert.reason, alert.over = reason, None
            if now - alert.since >= PERSIST_SECONDS or name in self._health.platforms:
                await self._tell(name, alert, begins, reason)
        for name, alert in list(self._alerts.items()):
            if name not in wrong:
                alert.over = now if alert.over is None else alert.over
                if now - alert.over >= PERSIST_SECONDS or not alert.told:
                    await self._end(name, alert)

    def _wrong(self) -> dict[str, tuple[BotError, BotError, str]]:
        found = {}
        for name, state in self._health.platforms.items():
            if not state.up:
                found[name] = (*_outage(name, round((self._clock() - state.since) / 60)), state.reason)
        for about, sentence in self._health.notices.items():
            if about in NOTICES:
                found[about] = (*NOTICES[about], sentence)
        return found

    async def _tell(self, name: str, alert: _Alert, sentence: BotError, reason: str) -> None:
        for platform in self._working() - alert.told:
            if await self._send(name, platform, sentence, reason):
                alert.told.add(platform)

    async def _end(self, name: str, alert: _Alert) -> None:
        """Tell those who know of an alert that it is over. Retries those who cannot be reached now."""
        for platform in self._working() & alert.told:
            if await self._send(name, platform, alert.ends, ""):
                alert.told.discard(platform)
        if not alert.told:
            del self._alerts[name]

    def _working(self) -> set[str]:
        platforms = self._health.platforms
        return {name for name in self._health.admin_notifiers if name not in platforms or platforms[name].up}

    async def _send(self, name: str, platform: str, sentence: BotError, reason: str) -> bool:
        """Send a text. Return whether it is done, so that it need not be tried again."""
        lines = [*(Translator(language).explain(sentence) for language in LANGUAGES), reason]
        try:
            await self._health.admin_notifiers[platform]("\n".join(filter(None, lines)))
        except Exception as error:
            failures = self._failures[name, platform] = self._failures.get((name, platform), 0) + 1
            log.warning("the admins on %s could not be told: %s", platform, type(error).__name__)
            if failures < SEND_ATTEMPTS:
                return False
        self._failures.pop((name, platform), None)
        return True


def _outage(platform: str, minutes: int) -> tuple[BotError, BotError]:
    name = platform.capitalize()
    ends = BotError("{platform} works again.", platform=name)
    if minutes < 1:
        return BotError("{platform} does not work.", platform=name), ends
    return BotError("{platform} has not worked for {minutes} minutes.", platform=name, minutes=minutes), ends
