"""What Slack shows beside messages while an answer is on its way: a line of text, and its own Stop button.

Both may not be there, and neither is worth a lost answer: what fails here is only logged.
"""

import asyncio
import logging
from dataclasses import dataclass

from bots.conversing.draft import Later
from bots.slack.access import Declined
from bots.slack.api import SlackApi
from bots.slack.place import Place

log = logging.getLogger(__name__)
ATTEMPTS = 3
_ALWAYS = ("unknown_method", "method_deprecated", "not_allowed", "not_an_agent", "feature_not_enabled", "missing_scope")
RENEW_S = 90  # seconds; Slack clears the line after two minutes


@dataclass(slots=True)
class Abilities:
    """What this app and workspace can do, as far as tried; shared by all answers."""

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
        """False where there is no such line."""
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
        """A message stands there now, which took the line away."""
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
            await asyncio.sleep(RENEW_S)
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
        except Later:
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
                    initiator_user_id=place.user,
                )
                return True
            except Later as later:
                await asyncio.sleep(min(later.seconds, 2.0))
            except Declined as error:
                log.info("no Stop button of Slack's: %s", error)
                self._abilities.sessions = not _is_final(error)
                return False
        return True  # nobody knows, so it will be set back


def _is_final(declined: Declined) -> bool:
    """Whether it will be the same in every thread."""
    return declined.error in _ALWAYS
