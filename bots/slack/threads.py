"""Read Slack's threads: questions, the pictures above them, and the bot's own answers below."""

import asyncio
import logging
from functools import partial
from typing import Any

from pydantic import ValidationError

from bots.conversing.commands import command_in
from bots.conversing.request import forgets
from bots.slack.access import Declined
from bots.slack.api import SlackApi, patiently
from bots.slack.events import Json, SlackFile, files_of
from bots.slack.message import Began, SlackMessage, mentions
from bots.slack.message_metadata import key_of
from bots.slack.place import Place
from bots.slack.platform import SLACK
from bots.slack.text import plain
from core.errors import BotError

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.5  # Slack waits three for the acknowledgement of a command
GONE = ("thread_not_found", "message_not_found")
READ_PAGES = 5  # of 200 messages each


class Threads:
    def __init__(self, slack: SlackApi) -> None:
        self._slack = slack

    async def files(self, asked: SlackMessage, *, acquainted: bool) -> tuple[list[SlackFile], tuple[SlackFile, ...]]:
        """Return files from earlier in the thread and the message's own, because a mention may come without them.

        A direct message always comes with its files. `acquainted` means that the conversation knows those above it.
        """
        if (asked.top_level and asked.files) or (asked.direct and (asked.top_level or acquainted)):
            return [], asked.files
        try:
            messages = await patiently(partial(self._read, asked.channel, asked.thread, latest=asked.ts))
        except Declined as error:
            log.error("pictures earlier in a thread cannot be seen: %s", error)
            return [], asked.files
        earlier: list[SlackFile] = []
        own = asked.files
        for message in messages:
            if message["ts"] == asked.ts:
                own = own or files_of(message)
            elif message["ts"] < asked.ts and message.get("user") != self._slack.bot:
                if self._forgets(message, asked, messages[0]):
                    earlier.clear()  # earlier pictures are not taken in again
                earlier += files_of(message)
        return earlier, own

    def _forgets(self, message: Json, asked: SlackMessage, root: Json) -> bool:
        text = message.get("text") or ""
        begun_by_another = not asked.direct and message.get("user") != root.get("user")
        to_bot = asked.direct or mentions(text, self._slack.bot)
        return to_bot and forgets(*command_in(plain(text, self._slack.bot), SLACK), begun_by_another)

    async def is_of_another(self, asked: SlackMessage) -> bool:
        """Return whether another person began the thread, and True if that cannot be seen."""
        return (await self.with_beginner(asked)).is_of_another

    async def with_beginner(self, asked: SlackMessage) -> SlackMessage:
        """Return the message with who began its thread, if that matters and can be seen."""
        if asked.direct or asked.top_level or asked.began is not None:
            return asked
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                messages = await patiently(partial(self._read, asked.channel, asked.thread, latest=asked.thread))
        except (Declined, BotError, TimeoutError) as error:
            log.warning("who began a thread cannot be seen: %s", error)
            return asked
        began = Began.model_validate(messages[0]).user if messages else None
        return asked.model_copy(update={"began": began})

    async def question(self, place: Place) -> SlackMessage:
        """Return a question as it is in Slack now, without words if it is deleted."""
        nothing = SlackMessage.at(place)
        try:
            messages = await patiently(partial(self._read, place.channel, place.thread, latest=place.asked))
        except (Declined, BotError) as error:
            log.warning("a question cannot be looked up: %s", error)
            return nothing
        found = [message for message in messages if message["ts"] == place.asked]
        return (found and SlackMessage.of({**found[0], "channel": place.channel}, place.team)) or nothing

    async def standing(self, asked: SlackMessage) -> SlackMessage | None:
        """Return the message as it is in Slack now, or None if it is deleted.

        If that cannot be seen, return it as it came.
        """
        read = partial(self._read, asked.channel, asked.thread, oldest=asked.ts, latest=asked.ts)
        try:
            found = [message for message in await patiently(read) if message["ts"] == asked.ts]
            standing = SlackMessage.of({**found[0], "channel": asked.channel}, asked.team) if found else None
        except Declined as declined:
            return None if declined.error in GONE else asked
        except (BotError, ValidationError):
            return asked
        return standing and asked.model_copy(update={"text": standing.text, "files": standing.files or asked.files})

    async def answer(self, place: Place, key: str) -> tuple[str, ...]:
        """Return the ids of the messages that carry the answer of that key."""
        read = partial(self._read, place.channel, place.thread, oldest=place.asked, include_all_metadata=True)
        try:
            messages = await patiently(read)
        except (Declined, BotError) as error:
            log.warning("an old answer cannot be looked up: %s", error)
            return ()
        return tuple(m["ts"] for m in messages if m.get("user") == self._slack.bot and key_of(m) == key)

    async def _read(self, channel: str, thread: str, **between: Any) -> list[Json]:
        found: list[Json] = []
        cursor = None
        for _ in range(READ_PAGES):
            answer = await self._slack.call(
                self._slack.client.conversations_replies,
                channel=channel,
                ts=thread,
                inclusive=True,
                limit=200,
                cursor=cursor,
                **between,
            )
            found.extend(answer["messages"])
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                break
        return found
