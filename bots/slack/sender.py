"""Post and replace the messages of one answer in a Slack thread, and find those whose ids were not stored.

A message whose `ts` was never written down is ours, and carries this answer's key or nothing.
"""

import logging
from collections import Counter
from contextlib import suppress
from functools import partial
from typing import Any

from bots.conversing.delivery_errors import Gone, Refused, RetryLater
from bots.slack.access import Declined
from bots.slack.api import SlackApi, Unclear, patiently
from bots.slack.message_metadata import UnstoredMessage, answer_metadata, left_behind
from bots.slack.place import Place
from bots.slack.stream import Streams
from bots.slack.text import MESSAGE_CHARACTERS, escape
from core.errors import BotError
from core.stored_message import StoredMessage

log = logging.getLogger(__name__)
UNEDITABLE = ("message_not_found", "cant_update_message", "edit_window_closed", "streaming_state_conflict")
STOPS = 3  # attempts to stop a stream that Slack takes to be open


class Sender:
    def __init__(self, slack: SlackApi, place: Place, message: StoredMessage, streams: Streams) -> None:
        self.streams = streams
        self.begun_before = bool(message.posted_ids)  # an earlier run has already begun to write
        self._slack = slack
        self._place = place
        self._key = message.key
        self._careful = message.resumed  # something of ours may stand in the thread that is not written down
        self._posted_ids = list(message.posted_ids)
        self._given_up: set[str] = set()  # messages that were to be removed, whether they are gone or not
        self._stops: Counter[str] = Counter()  # how often each was tried to be stopped, to be edited then

    async def open(self) -> str:
        """Begin a stream."""
        await self._slack.wait_to_post(self._place.channel)
        try:
            return await self.streams.open()
        except Unclear:
            self._careful = True
            raise

    async def post(self, text: str, blocks: list[dict[str, Any]]) -> str:
        await self._slack.wait_to_post(self._place.channel)
        try:
            answer = await self._slack.call(
                self._slack.client.chat_postMessage,
                channel=self._place.channel,
                thread_ts=self._place.thread,
                text=escape(text)[:MESSAGE_CHARACTERS],
                blocks=blocks or None,
                metadata=answer_metadata(self._key),
                unfurl_links=False,
                unfurl_media=False,
            )
        except Unclear:
            self._careful = True
            raise
        return str(answer["ts"])

    def posted(self, ts: str) -> None:
        """Note one of the answer's messages."""
        self._posted_ids.append(ts)

    async def replace(self, ts: str, text: str, blocks: list[dict[str, Any]], **files: Any) -> None:
        try:
            await self._update(ts, text, blocks, **files)
        except Declined as declined:
            if declined.error == "streaming_state_conflict" and self._stops[ts] < STOPS:
                self._stops[ts] += 1  # left open by a dead process, or its stop got lost
                with suppress(Declined):
                    await self.streams.stop(ts)
                raise RetryLater(0.2) from declined
            if declined.error in UNEDITABLE:
                raise Gone from declined
            if not blocks:
                raise
            log.warning("Slack does not take an answer as it is (%s): sent as plain text", declined.error)
            await self._update(ts, text, [])

    async def _update(self, ts: str, text: str, blocks: list[dict[str, Any]], **files: Any) -> None:
        await self._slack.call(
            self._slack.client.chat_update,
            channel=self._place.channel,
            ts=ts,
            text=escape(text)[:MESSAGE_CHARACTERS],  # for notifications, where there are blocks to read
            blocks=blocks,
            metadata=answer_metadata(self._key),
            **files,
        )

    async def remove(self, posted_id: str) -> None:
        if posted_id in self._posted_ids:
            self._posted_ids.remove(posted_id)
        try:
            await self._slack.call(self._slack.client.chat_delete, channel=self._place.channel, ts=posted_id)
        except Declined as declined:
            if declined.error != "message_not_found":
                log.warning("a message that is not needed any more stays: %s", declined.error)
        self._given_up.add(posted_id)

    async def left_behind(self) -> list[UnstoredMessage]:
        """Return our messages in the thread that may not be stored."""
        return await self._look() if self._careful else []

    async def clear_away(self) -> None:
        """Let nothing of the answer stay."""
        try:
            left = await patiently(self._look)
            for ts in sorted({*self._posted_ids, *(each.ts for each in left)}):
                await self._take_away(ts)
        except (BotError, Refused) as error:
            log.warning("the answer to a deleted question stays: %s", error)

    async def _take_away(self, ts: str) -> None:
        remove = partial(self._slack.call, self._slack.client.chat_delete, channel=self._place.channel, ts=ts)
        try:
            await patiently(remove)
        except Declined as declined:
            if declined.error == "message_not_found":
                return
            await patiently(partial(self.streams.stop, ts))
            await patiently(remove)

    async def _look(self) -> list[UnstoredMessage]:
        return await left_behind(self._slack, self._place, self._key, {*self._posted_ids, *self._given_up})
