"""The streams of an answer in a Slack thread: they grow word by word, and their text can only grow.

A stream carries no metadata until it is stopped. What goes wrong ends it: its message is then replaced.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from bots.slack.access import Declined
from bots.slack.api import SlackApi, Unclear
from bots.slack.message_metadata import answer_metadata
from bots.slack.place import Place
from bots.slack.status import Abilities
from core.answer import Answer

log = logging.getLogger(__name__)


class Streams:
    """`stopped` is called when the person pressed Slack's own Stop."""

    def __init__(
        self, slack: SlackApi, place: Place, key: str, abilities: Abilities, stopped: Callable[[], Awaitable[object]]
    ) -> None:
        self._slack = slack
        self._place = place
        self._key = key
        self._abilities = abilities
        self._stopped = stopped
        self._open: dict[str, str] = {}  # ts of an open stream -> its text

    @property
    def possible(self) -> bool:
        seen = self._place.direct or self._place.known_user is not None
        return seen and self._abilities.streams and self._abilities.sessions

    def __contains__(self, ts: str) -> bool:
        return ts in self._open

    async def open(self) -> str:
        place = self._place
        try:
            answer = await self._slack.call(
                self._slack.client.chat_startStream,
                channel=place.channel,
                thread_ts=place.thread,
                recipient_user_id=None if place.direct else place.user,
                recipient_team_id=None if place.direct else place.team,
            )
        except Declined as declined:
            if declined.error in ("unknown_method", "method_deprecated", "not_allowed", "feature_not_enabled"):
                self._abilities.streams = False
            log.info("no stream (%s): posting and editing instead", declined.error)
            raise
        ts = str(answer["ts"])
        self._open[ts] = ""
        return ts

    async def write(self, ts: str, part: str, answer: Answer | None, last: bool, buttons: list[dict[str, Any]]) -> bool:
        """Append to the stream. Return False if the stream is over and its text must be replaced."""
        shown = self._open[ts]
        rest = part.removeprefix(shown)
        try:
            if not part.startswith(shown):
                await self.stop(ts)
                return False
            if answer is None and last:
                if rest:
                    await self._append(ts, rest)
                return True
            await self.stop(ts, rest, blocks=buttons, metadata=answer_metadata(self._key))
            return True
        except Unclear:
            self._open.pop(ts, None)  # what it says now is unknown
            return False
        except Declined as declined:
            self._open.pop(ts, None)
            if declined.error == "stopped_by_user":
                await self._stopped()
            log.info("the stream ended (%s): editing instead", declined.error)
            return False

    async def _append(self, ts: str, text: str) -> None:
        await self._slack.call(
            self._slack.client.chat_appendStream, channel=self._place.channel, ts=ts, markdown_text=text
        )
        self._open[ts] += text

    async def stop(self, ts: str, text: str = "", **arguments: Any) -> None:
        arguments = {name: value for name, value in arguments.items() if value}
        if text:
            arguments["markdown_text"] = text
        await self._slack.call(self._slack.client.chat_stopStream, channel=self._place.channel, ts=ts, **arguments)
        self._open.pop(ts, None)
