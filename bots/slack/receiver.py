"""Listen to Bolt's events. A listener decides, stores the event and returns; only then is Slack told.

Incomplete events raise `pydantic.ValidationError`, and `bots.slack.gateway` acknowledges them.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bots.conversing.commands import command_in
from bots.conversing.services import Services
from bots.slack.api import SlackApi
from bots.slack.config import SlackConfig
from bots.slack.events import Edited, FileDeleted, Json, Reaction, Removal, SessionStopped
from bots.slack.gateway import make_app
from bots.slack.interactions import Interactions
from bots.slack.message import SlackMessage, addresses_somebody
from bots.slack.platform import SLACK
from bots.slack.text import plain
from bots.slack.worker import Worker
from bots.slack.written import Asked, RemovedFiles
from core.revision import EDIT_SECONDS, Revision

THUMBS = {"+1": 1, "thumbsup": 1, "-1": -1, "thumbsdown": -1}


class Receiver:
    """`app` is Bolt's, which calls this."""

    def __init__(self, config: SlackConfig, slack: SlackApi, worker: Worker, services: Services) -> None:
        self._config = config
        self._slack = slack
        self._worker = worker
        self._dispatcher = worker.dispatcher
        self._services = services
        self._tasks: set[asyncio.Task[Any]] = set()
        self._interactions = Interactions(slack, worker)
        self.app = make_app(slack, config.signing_secret)
        self._attach(self.app)

    async def close(self) -> None:
        """Let listeners finish that have begun to store something."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2.0)
        await self._interactions.close()

    async def _track(self, next_: Callable[[], Awaitable[None]]) -> None:
        if task := asyncio.current_task():
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await next_()

    def _attach(self, app: AsyncApp) -> None:
        app.middleware(self._track)
        app.event("app_mention")(self._on_message)
        app.event("message")(self._on_message)
        app.event("file_deleted")(self._on_file_deleted)
        app.event("reaction_added")(self._on_reaction)
        app.event("reaction_removed")(self._on_reaction)
        app.event("agent_session_stopped")(self._on_session_stopped)
        self._interactions.attach(app)
        anything = re.compile(".*", re.DOTALL)
        app.event(anything)(self._on_anything_else)
        app.shortcut(anything)(self._on_anything_else)
        app.view_closed(anything)(self._on_anything_else)

    async def _on_message(self, event: Json) -> None:
        if event.get("subtype") in ("message_deleted", "message_changed"):
            await self._on_removed(event)
            return
        message = SlackMessage.of(event, self._slack.team)
        if message is None or not await self._is_for_bot(message):
            return
        message = await self._worker.inquiries.to_store(message)
        conversation_id, key = await self._worker.conversations.of(message), message.key(self._slack.team)
        stops = await self._stops(message)
        if await self._receive(key, conversation_id, message, message.revision(), stops) and not stops:
            place = message.place
            self._dispatcher.mark_waiting(key, conversation_id, place.spot, message.user, place.chat_ids)

    async def _receive(
        self, key: str, conversation_id: str, message: SlackMessage, revision: Revision, stops: bool
    ) -> bool:
        """Store a message, which may stop what is being written. Return False if it had been received before."""
        written, digest = Asked(message=message).model_dump_json(), str(revision)
        if stops:
            stop_by, has_files = self._dispatcher.running.stop_by, bool(message.files)
            return await stop_by(key, conversation_id, written, digest=digest, has_files=has_files)
        return await self._dispatcher.inbox.receive(key, conversation_id, written, digest=digest)

    async def _stops(self, message: SlackMessage) -> bool:
        """Return whether a message stops what is being written."""
        command, _ = command_in(plain(message.text, self._slack.bot), SLACK)
        return command == "stop" and not message.by_app and await self._may(message.user, message.place.chat_ids)

    async def _may(self, user: str, chat_ids: Collection[str]) -> bool:
        """Return whether a person may do something that is done at once, or over an old answer.

        Everything else is stored unseen, and the dispatcher checks it, because an acknowledgement must not wait for one
        more read from disk.
        """
        return await self._dispatcher.permissions.may(user, chat_ids)

    async def _is_for_bot(self, message: SlackMessage) -> bool:
        """Return whether a message is for the bot. Whether an app wrote it for a person, the worker finds out."""
        if message.user in (self._slack.bot, self._slack.bot_id):
            return False
        if message.place.known_user is None:
            return self._config.bots and message.mentions(self._slack.bot)
        if message.direct or message.mentions(self._slack.bot):
            return True
        if self._config.threads == "mention" or message.top_level or addresses_somebody(message.text):
            return False
        if not await self._may(message.user, message.place.chat_ids):  # people talk to each other there
            return False
        return await self._worker.takes_part(message.conversation(self._slack.team))

    async def _on_removed(self, event: Json) -> None:
        removal = Removal.model_validate(event)
        if removal.deleted_ts:  # not written down: what is answered after a restart is looked up before
            await self._dispatcher.withdraw(self._key_of(removal.channel, removal.deleted_ts))
        if removal.files:
            key = f"slack:removed:{removal.channel}:{removal.event_ts or removal.ts}"
            await self._dispatcher.inbox.receive(key, key, RemovedFiles(files=removal.files).model_dump_json())
        if removal.message:
            await self._on_edited(removal.channel, removal.message, removal.event_ts or removal.ts)

    async def _on_edited(self, channel: str, event: Json, told: str) -> None:
        """Answer an edited question again, or at all if it was not for the bot before. A late edit changes nothing.

        Edits of bots count for nothing, because some write their answers by edits.
        """
        change = Edited.model_validate(event)
        if change.edited is None or change.user in (None, self._slack.bot):
            return
        message = SlackMessage.of({**event, "channel": channel}, self._slack.team)
        if message is None or (message.by_app and not self._worker.people.is_known_person(message.user)):
            return
        if float(change.edited.ts) - float(change.ts) > EDIT_SECONDS:
            return
        key = self._key_of(channel, message.ts)
        if self._dispatcher.inbox.find(key) is None and not await self._is_for_bot(message):
            return
        message = await self._worker.inquiries.to_store(message)
        written, revision = Asked(message=message).model_dump_json(), message.revision(told)
        words = command_in(plain(message.text, self._slack.bot), SLACK)[1]

        stops = await self._stops(message)

        async def receive() -> bool:
            conversation_id = await self._worker.conversations.of(message)
            return await self._receive(key, conversation_id, message, revision, stops)

        edit = partial(self._dispatcher.edit, key, written, revision, receive, words)
        await (self._dispatcher.running.stop_by_edit(key, revision, edit) if stops else edit())

    def _key_of(self, channel: str, ts: str) -> str:
        return f"slack:{self._slack.team}:{channel}:{ts}"

    async def _on_file_deleted(self, event: Json) -> None:
        file_id = FileDeleted.model_validate(event).file_id
        key = f"slack:deleted:{file_id}"
        await self._dispatcher.inbox.receive(key, key, RemovedFiles(files=[file_id]).model_dump_json())

    async def _on_reaction(self, event: Json) -> None:
        reaction = Reaction.model_validate(event)
        thumb, item = reaction.reaction.partition("::")[0], reaction.item  # after the colons is the skin tone
        if thumb not in THUMBS or reaction.item_user != self._slack.bot or item.ts is None:
            return
        if self._services.store.ratings and await self._may(reaction.user, [item.channel, self._slack.team]):
            rating = THUMBS[thumb] if reaction.type == "reaction_added" else 0
            # not stored first: a lost one does no harm
            await self._services.store.rate_posted("slack", item.ts, rating)

    async def _on_session_stopped(self, event: Json) -> None:
        stopped = SessionStopped.model_validate(event)
        user, channel = stopped.user, stopped.channel
        if stopped.thread_ts and await self._may(user, [channel, self._slack.team]):
            await self._dispatcher.running.stop(await self._worker.conversations.of_thread(channel, stopped.thread_ts))

    async def _on_anything_else(self, ack: AsyncAck) -> None:
        """Acknowledge anything else, so that Slack does not send it again."""
        await ack()
