"""Work off what the receiver stored: each message, album or pressed button becomes an answer in its chat."""

import asyncio
import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from telegram import Bot, Message, Update, User

from bots.conversing.allow_list import AllowList
from bots.conversing.background import Background
from bots.conversing.delivery_errors import NotWritable, Refused
from bots.conversing.dispatcher import Dispatcher
from bots.conversing.request import forgets
from bots.conversing.services import Services
from bots.telegram.config import TelegramConfig
from bots.telegram.drafts import Drafts
from bots.telegram.files import Undelivered
from bots.telegram.inquiry import Inquiry, inquiry_of, read
from bots.telegram.message import Author, copied_from, migration_of
from bots.telegram.platform import TELEGRAM
from bots.telegram.private_messages import PrivateMessages
from bots.telegram.rate_limit import RateLimit
from bots.telegram.reactions import TelegramReacting
from bots.telegram.requests import Requests, refusal_of
from core import inbox, trace
from core.errors import Interrupted
from core.i18n import Translator
from core.revision import Revision
from core.stored_message import StoredMessage

log = logging.getLogger(__name__)
COMMENT = "said:"  # prefix of the group of words that a forward may follow
COMMENT_WAIT_SECONDS = 0.6  # how long such words wait for it; clients send both at once


class Worker:
    """Answers stored messages. `me` is the bot itself."""

    def __init__(
        self,
        config: TelegramConfig,
        bot: Bot,
        me: User,
        services: Services,
        rate_limit: RateLimit | None = None,
        settled: asyncio.Event | None = None,
    ) -> None:
        rate_limit, undelivered = rate_limit or RateLimit(), Undelivered()
        self.background = Background()
        self._private = PrivateMessages(config, bot, rate_limit, self.background)
        self.dispatcher = Dispatcher(
            services,
            TELEGRAM,
            self._work,
            self._forgets,
            AllowList.of(config),
            partial(_gathering, settled),
            self._private.ask_admins,
            TelegramReacting(bot, rate_limit) if config.reactions else None,
            waits_for=self._old_group,
        )
        self._bot = bot
        self._me = me
        self._store = services.store
        self._requests = Requests(config, bot, services, undelivered)
        self._drafts = Drafts(config, bot, services.store, rate_limit, undelivered, self.background)

    async def close(self) -> None:
        """Stop. Unfinished messages wait on disk for the next start."""
        await self.dispatcher.inbox.close()
        await self.dispatcher.reactions.close()
        await self.background.close()

    async def may(self, asker: Author | None, chat_id: int) -> bool:
        """Return whether a person may do something that is done at once. The dispatcher checks stored messages."""
        return asker is not None and await self.dispatcher.permissions.may(str(asker.id), [str(chat_id)])

    async def _forgets(self, payload: str) -> bool:
        if "/forget" not in payload.lower():
            return False
        try:
            inquiry = read([self._update(payload)], self._me)
        except Exception:  # stored by an older version; its own turn will report it
            return False
        if inquiry is None or not forgets(inquiry.command, inquiry.text, inquiry.is_in_group):
            return False
        return await self.may(inquiry.asker, inquiry.chat_id)

    def _update(self, payload: str) -> Update:
        return Update.de_json(json.loads(payload), self._bot)

    async def _work(self, batch: Sequence[StoredMessage]) -> None:
        """Answer a message, an album or a pressed button. Raises only errors that the inbox should retry."""
        trace.set_current(batch[0].key)
        try:
            updates = [self._update(message.payload) for message in batch]
            inquiry = read(updates, self._me)
        except Exception as error:  # stored by an older version; every start would fail on it
            log.warning("message %s cannot be read and is dropped: %s", batch[0].key, type(error).__name__)
            return
        first = updates[0].message
        if first and (migration := migration_of(first)):
            await self._move(*migration, here=batch[0].conversation_id)
            return
        message, inquiry = await self._rejoined(replace(batch[0], digest=_newest(batch)), updates, inquiry)
        if inquiry and inquiry.asker and not await self._is_own(first):
            await self._answer(message, inquiry, inquiry.asker)

    async def _rejoined(
        self, message: StoredMessage, updates: Sequence[Update], inquiry: Inquiry | None
    ) -> tuple[StoredMessage, Inquiry | None]:
        """Return what pieces of an album ask of which others were answered before: the same about all of them.

        By webhook they are lost for a while if the service that gets them dies. No caption names the bot then. Edited
        ones ask what they say now.
        """
        revision = Revision.read(message.digest)
        if message.group is None or message.group.startswith(COMMENT) or revision is None:
            return message, inquiry
        pieces = inquiry_of([update.message for update in updates if update.message], self._me)
        torn = await self._store.rejoin(message, revision, pieces.shown)
        if torn is None:
            return message, inquiry
        text = pieces.text if revision.number else "\n\n".join(filter(None, [torn.words, pieces.text]))
        return replace(message, posted_ids=torn.posted_ids), replace(pieces, text=text, replaces=torn.superseded_key)

    async def _is_own(self, message: Message | None) -> bool:
        """Return whether it is the copy of what the bot has written in a channel. Raises `Interrupted` if it may be."""
        post = copied_from(message) if message else None
        if post is None:
            return False
        chat_id, message_id = post
        busy = await self.dispatcher.inbox.last(f"telegram:{chat_id}:0") is not None  # at whatever replica
        own = await self._store.is_posted("telegram", f"{chat_id}:{message_id}")
        if busy and not own:
            raise Interrupted("This may be an answer of mine that is still being written.")
        return own

    async def _move(self, old_chat_id: int, new_chat_id: int, here: str) -> None:
        """Move the conversation of a group that became a supergroup, before anything is answered there.

        `here` is where Telegram told it. Raises `Interrupted` while a question is answered in the old group, since its
        answer belongs to what is moved.
        """
        old, new = f"telegram:{old_chat_id}:0", f"telegram:{new_chat_id}:0"
        if here == new and await self.dispatcher.inbox.is_busy(old):
            raise Interrupted("The questions of the old group are answered first.")
        if await self._store.move(old, new) or here == old:
            log.warning(
                "Telegram chat %s became the supergroup %s: put the new id into allow in [bots.telegram]",
                old_chat_id,
                new_chat_id,
            )

    def _old_group(self, message: StoredMessage) -> str | None:
        """Return the conversation of the old group that is answered before what a message tells of its supergroup."""
        if "migrate_from_chat_id" not in message.payload:
            return None
        with suppress(Exception):  # stored by an older version; its own turn will report it
            told = self._update(message.payload).message
            if told and told.migrate_from_chat_id and (migration := migration_of(told)):
                return f"telegram:{migration[0]}:0"
        return None

    async def _answer(self, message: StoredMessage, inquiry: Inquiry, asker: Author) -> None:
        translator = Translator(asker.language).for_question(inquiry.text)
        inquiry = await self._requests.complete(inquiry, message.conversation_id)
        request, refusal = self._requests.of(message, inquiry, asker, translator), refusal_of(inquiry, translator)
        replies = self._drafts.replies(inquiry, translator)
        try:
            await self.dispatcher.answer(message, request, translator, replies, refusal=refusal)
        except NotWritable:
            await self._private.say_undelivered(asker, translator)
        except Refused:
            log.info("the answer has no reader any more")


def _newest(batch: Sequence[StoredMessage]) -> str | None:
    """Return the digest of the message that was edited last, if any was."""
    digests = {message.digest: Revision.read(message.digest) for message in batch}
    return max(digests, key=lambda digest: (revision := digests[digest]) is not None and revision.number)


def _gathering(settled: asyncio.Event | None, group: str) -> inbox.Gathering:
    """Return how a group gathers: a comment waits a moment for its forwarded message, and for nothing else."""
    return inbox.Gathering(COMMENT_WAIT_SECONDS) if group.startswith(COMMENT) else inbox.Gathering(settled=settled)
