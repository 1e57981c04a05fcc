"""Show Slack's own signs of work while an answer is written: a status line and a Stop button.

Both may be missing, and a failure here must not cost an answer, so it is only logged.
"""

import asyncio
import logging
from dataclasses import dataclass

from bots.conversing.delivery_errors import RetryLater
from bots.slack.access import Declined
from bots.slack.api import SlackApi
from bots.slack.place import Place

log = logging.getLogger(__name__)
ATTEMPTS = 3
_ALWAYS = ("unknown_method", "method_deprecated", "not_allowed", "not_an_agent", "feature_not_enabled", "missing_scope")
RENEW_SECONDS = 90  # Slack clears the line after two minutes


@dataclass(slots=True)
class Abilities:
    """What this app and workspace support, as far as tried. All answers share it."""

    streams: bool = True
    status_line: bool = True
    sessions: bool = True  # Slack's own Stop button; a stream cannot carry ours, so without it answers are edited


class Status:
    def __init__(self, slack: SlackApi, place: Place, abilities: Abilities) -> None:
        self._slack = slack
        self._place = place
        self._abilities = abilities
        self._begun = False
        self._line = ""
        self._renewing: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Show that the model works, with Slack's Stop button."""
        if not self._begun:
            self._begun = await self._set_session("processing")

    async def say(self, line: str) -> bool:
        """Show a status line. Return False if there is none."""
        self._line = line
        if not await self._show():
            return False
        self._renewing = self._renewing or asyncio.create_task(self._renew())
        return True

    async def clear(self) -> None:
        if self._line:
            self._line = ""
            await self._show()

    def settle(self) -> None:
        """Note that a message was posted, which removed the line."""
        if self._renewing:
            self._renewing.cancel()

    async def close(self) -> None:
        if self._renewing:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
        if self._begun:
            await self._set_session("active")

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            await self._show()

    async def _show(self) -> bool:
        if not self._abilities.status_line:
            return False
        place = self._place
        try:
            await self._slack.call(
                self._slack.client.assistant_threads_setStatus,
                channel_id=place.channel,
                thread_ts=place.thread,
                status=self._line,
            )
        except RetryLater:
            pass
        except Declined as error:
            log.info("no status line: %s", error)
            self._abilities.status_line = not _is_final(error)
            return False
        return True

    async def _set_session(self, status: str) -> bool:
        if not self._abilities.sessions:
            return False
        place = self._place
        for _ in range(ATTEMPTS):
            try:
                await self._slack.call(
                    self._slack.client.agents_sessions_setStatus,
                    channel_id=place.channel,
                    thread_ts=place.thread,
                    status=status,
                    initiator_user_id=place.known_user,
                )
                return True
            except RetryLater as later:
                await asyncio.sleep(min(later.seconds, 2.0))
            except Declined as error:
                log.info("no Stop button of Slack's: %s", error)
                self._abilities.sessions = not _is_final(error)
                return False
        return True  # unknown, so it will be reset


def _is_final(declined: Declined) -> bool:
    """Return whether the error will be the same in every thread."""
    return declined.error in _ALWAYS
