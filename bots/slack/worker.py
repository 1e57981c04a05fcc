"""Work off what the receiver stored: each message, pressed button or window becomes an answer in its thread."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from pydantic import ValidationError

from bots.conversing.allow_list import AllowList
from bots.conversing.delivery_errors import Refused
from bots.conversing.dispatcher import Dispatcher
from bots.conversing.services import Services
from bots.slack.answering import Answering
from bots.slack.api import SlackApi
from bots.slack.config import SlackConfig
from bots.slack.conversations import Conversations
from bots.slack.deleted_files import DeletedFiles
from bots.slack.drafts import Drafts
from bots.slack.events import fields
from bots.slack.files import Files
from bots.slack.inquiry import Inquiries, Inquiry
from bots.slack.people import People
from bots.slack.platform import SLACK
from bots.slack.private_messages import PrivateMessages
from bots.slack.reactions import SCOPE, SlackReacting
from bots.slack.requests import Requests, refusal_of
from bots.slack.threads import Threads
from bots.slack.written import Asked, RemovedFiles, read
from core.stored_message import StoredMessage

log = logging.getLogger(__name__)


class Worker:
    """Answers stored messages."""

    def __init__(self, config: SlackConfig, slack: SlackApi, services: Services) -> None:
        threads, files = Threads(slack), Files(slack, services.images)
        self._private = PrivateMessages(config, slack)
        reacts = config.reactions and SCOPE not in slack.missing
        self.dispatcher = Dispatcher(
            services,
            SLACK,
            self._work,
            self._forgets,
            AllowList.of(config),
            tell_admins=self._private.ask_admins,
            reacting=SlackReacting(slack) if reacts else None,
        )
        self.people = People(slack)
        self.conversations = Conversations(services.store, slack.team, slack.bot)
        self._services = services
        self._bots, self._bot = config.bots, slack.bot
        self.inquiries = Inquiries(services.store, threads, slack.bot)
        self._requests = Requests(config, threads, files, slack.name)
        self._answering = Answering(services, threads, files)
        self._drafts = Drafts(config, slack, self.dispatcher.running.stop)
        self._deleted = DeletedFiles(services.store)

    async def resume(self) -> None:
        """Take up what the last run left. A picture that waits in a direct message is what people go on with there."""
        for message in await self._services.store.unfinished("slack"):
            with suppress(ValidationError):
                written = read(message.payload)
                if isinstance(written, Asked) and written.message.direct and written.message.files:
                    self.conversations.note(written.message.channel, message.conversation_id)
        await self.dispatcher.inbox.resume()

    async def close(self) -> None:
        """Stop. Unfinished messages wait on disk for the next start."""
        await self.dispatcher.inbox.close()
        await self.dispatcher.reactions.close()
        await self._private.close()

    async def takes_part(self, conversation_id: str) -> bool:
        """Return whether the bot was asked in this thread before."""
        history = self._services.assistant.history
        known = await self.dispatcher.inbox.last(conversation_id) or await history.key_of_turn(conversation_id, 1)
        return bool(known or await self._services.store.known_files(conversation_id))

    async def _forgets(self, payload: str) -> bool:
        try:
            written = read(payload)
        except ValidationError:
            return False
        if not isinstance(written, Asked) or not self.inquiries.forgets(written.message):
            return False
        if written.message.by_app:  # perhaps a bot, that is not answered at all
            return False
        place = written.message.place
        return await self.dispatcher.permissions.may(place.user, place.chat_ids)

    async def _work(self, batch: Sequence[StoredMessage]) -> None:
        """Answer a stored message. Raises only errors for which the inbox should keep it until another start."""
        message = batch[0]
        try:
            written = read(message.payload)
        except ValidationError as error:  # stored by another version
            log.error("a stored message is not whole and is given up (%s)", fields(error))
            return
        if isinstance(written, RemovedFiles):
            await self._deleted.remove(written.files)
        elif not isinstance(written, Asked):
            await self._answer(await self.inquiries.read(message, written))
        elif (asked := await self.inquiries.current(message, written.message)) is None:
            await self._drafts.clear_away(message, written.message.place)
            await self.dispatcher.reactions.remove(written.message.place.spot, message)
        elif not (asked.by_app and await self.people.is_bot(asked.user)):  # an app may also write for a person
            await self._answer(await self.inquiries.read(message, Asked(message=asked)))
        elif self._bots and asked.mentions(self._bot):
            inquiry = await self.inquiries.read(message, Asked(message=asked))
            await self._answer(replace(inquiry, automatic=True))
        else:
            await self.dispatcher.reactions.remove(asked.place.spot, message)

    async def _answer(self, inquiry: Inquiry) -> None:
        message, person = inquiry.message, inquiry.place.user
        translator = (await self.people.translator(person)).for_question(self.inquiries.words(inquiry))
        inquiry.ask_pressed(translator)
        request, refusal = await self._requests.of(inquiry), refusal_of(inquiry, translator)
        replies = self._drafts.replies(inquiry, translator, await self.inquiries.keeps_old_answer(inquiry))
        answer = partial(self._answering.answer, inquiry, translator)
        try:
            await self.dispatcher.answer(message, request, translator, replies, answer, refusal)
        except Refused as refused:
            await self._private.say_undelivered(person, refused, translator)
        await self._deleted.remove_saved(message.conversation_id, inquiry.images)
