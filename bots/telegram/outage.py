"""Wait while Telegram does not answer or refuses the token, and tell the operator."""

import asyncio
import logging

from telegram.error import Conflict, InvalidToken, RetryAfter

from bots.conversing.backoff import Backoff
from bots.conversing.health import Health
from bots.telegram.transport import wait_of
from core.errors import BotError

log = logging.getLogger(__name__)
BAD_TOKEN = (
    "Telegram does not accept the token. Copy it again from @BotFather (/mybots, API Token) into token in "
    "[bots.telegram]."
)
ANOTHER_POLLER = "Another program asks Telegram for this bot's updates: stop it, or give each its own token."
PLATFORM = "telegram"
TOLD_AFTER_FAILURES = 3  # in a row; shorter outages end by themselves


class Outage:
    """Repeats what fails with growing pauses, for ever. A token that worked once may work again."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._backoff = Backoff()

    @property
    def worked_before(self) -> bool:
        """Whether the token has been accepted since the process began."""
        return self._health.has_worked(PLATFORM)

    def succeeded(self) -> None:
        self._backoff.reset()
        self._health.mark_working(PLATFORM)

    async def wait(self, error: Exception) -> None:
        """Count a failure and wait until the next attempt is due."""
        pause = self._backoff.next_pause()
        reason = _reason(error)
        own = isinstance(error, Conflict | BotError)
        if self._backoff.failures == (1 if own else TOLD_AFTER_FAILURES):
            log.warning("%s Trying again.", reason)
        self._health.record_failure(PLATFORM, reason)
        await asyncio.sleep(wait_of(error) if isinstance(error, RetryAfter) else pause)


def _reason(error: Exception) -> str:
    """Return a sentence for the operator. PTB's own error contains the token."""
    if isinstance(error, InvalidToken):
        return BAD_TOKEN
    if isinstance(error, Conflict):
        return ANOTHER_POLLER
    if isinstance(error, BotError):
        return f"Messages cannot be written down, Telegram keeps them until they can: {error}"
    return f"Telegram cannot be reached ({type(error).__name__})."
