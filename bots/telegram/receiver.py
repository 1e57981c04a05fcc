"""Receive updates: store what the dispatcher needs, and handle Stop and thumbs at once.

Each update is read alone. One that cannot be read is skipped for good, and the log names only its id.
"""

import json
import logging
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from functools import partial
from typing import Any

from telegram import Bot, CallbackQuery, Message, MessageReactionUpdated, ReactionTypeEmoji, Update, User

from bots.conversing import strangers
from bots.conversing.answer_action import SET
from bots.conversing.commands import ADMINS_ONLY
from bots.conversing.permissions import Decision
from bots.conversing.reactions import Spot
from bots.conversing.services import Services
from bots.telegram.buttons import FORGOTTEN, STOP, decided_in
from bots.telegram.config import TelegramConfig
from bots.telegram.forwarded_comment import belongs_to, may_be_comment
from bots.telegram.inquiry import Inquiry, inquiry_of, read
from bots.telegram.message import (
    Author,
    Writer,
    author_of,
    chat_id_of,
    conversation_of,
    copied_from,
    is_for,
    migration_of,
    person_of,
    revision_of,
    says_something,
)
from bots.telegram.polling import id_of
from bots.telegram.press import Press, is_about, press_of
from bots.telegram.transport import ignoring_errors
from bots.telegram.worker import COMMENT, Worker
from core.errors import BotError
from core.i18n import Translator
from core.person import Standing
from core.revision import EDIT_SECONDS, Revision
from core.trace import without_words

log = logging.getLogger(__name__)
LARGEST_UPDATE_CHARACTERS = 1 << 20
ALBUM_ID_CHARACTERS = 100
Action = Callable[[], Awaitable[object]]
Json = dict[str, Any]


class Receiver:
    """Receives updates. `me` is the bot itself."""

    def __init__(self, config: TelegramConfig, worker: Worker, bot: Bot, me: User, services: Services) -> None:
        self._answered = {Writer.PERSON}
        self._answered |= {Writer.BOT} if config.bots else set()
        self._answered |= {Writer.CHANNEL, Writer.POST} if config.channels else set()
        self._worker = worker
        self._dispatcher = worker.dispatcher
        self._bot = bot
        self._me = me
        self._store = services.store

    async def receive(self, raw: object) -> None:
        """Return once the update is on disk, or known to be useless. Raises `BotError` when the disk fails."""
        update_id = id_of(raw)
        try:
            action = self._route(raw)
        except Exception as error:  # PTB and our reading may raise anything for an incomplete update
            await self._skip(update_id, error)
            return
        try:
            if action:
                await action()
        except BotError:
            raise
        except Exception as error:  # a bug, which the same update would meet for ever
            log.error("update %s is skipped: %s", update_id, without_words(error))

    def _route(self, raw: object) -> Action | None:
        """Return what to do about an update. All of it that is needed is read here, once."""
        if not isinstance(raw, dict) or id_of(raw) is None:
            raise ValueError
        payload = json.dumps(raw)
        if len(payload) > LARGEST_UPDATE_CHARACTERS:
            raise ValueError
        update = Update.de_json(raw, self._bot)
        key = f"telegram:{self._me.id}:{update.update_id}"
        if update.callback_query:
            return self._read_button(key, payload, update, update.callback_query)
        if update.message:
            return self._read_message(self._key_of(update.message), payload, update.message, update.update_id)
        if update.channel_post:
            post = update.channel_post
            return self._read_message(self._key_of(post), _as_message(raw, "channel_post"), post, update.update_id)
        if update.edited_message:
            return self._read_edited(_as_message(raw, "edited_message"), update.edited_message, update.update_id)
        if update.edited_channel_post:
            post = update.edited_channel_post
            return self._read_edited(_as_message(raw, "edited_channel_post"), post, update.update_id)
        if update.message_reaction:
            return self._read_reaction(update.message_reaction)
        raise ValueError  # none of the kinds that we asked for

    def _key_of(self, message: Message) -> str:
        """Return the key of a message, which its edits and its repeated deliveries have in common.

        So has a channel's post with its copy in the channel's group for comments.
        """
        chat_id, message_id = copied_from(message) or (chat_id_of(message), message.message_id)
        return f"telegram:{self._me.id}:message:{chat_id}:{message_id}"

    def _writer_of(self, message: Message) -> Author | None:
        """Return who wrote a message, or None if they are not answered here, whatever they write."""
        author = author_of(message)
        return author if author and author.id != self._me.id and author.writer in self._answered else None

    async def _skip(self, update_id: int | None, error: Exception) -> None:
        """Store that an update was skipped, so that it is not met again after a crash or a restart."""
        if update_id is not None:
            key = f"telegram:{self._me.id}:{update_id}"
            message = await self._store.put("telegram", key, "telegram", "")
            if message is None:
                return
            await self._store.finish([message.id])
        log.warning("update %s cannot be read and is skipped: %s", update_id, type(error).__name__)

    def _read_message(self, key: str, payload: str, message: Message, update_id: int) -> Action | None:
        conversation_id = conversation_of(message)
        if migration_of(message):
            return partial(self._dispatcher.inbox.receive, key, conversation_id, payload)
        if self._writer_of(message) is None or not says_something(message):
            return None
        if not isinstance(message.date, datetime):  # PTB accepts any type
            raise ValueError
        group = message.media_group_id  # an album's caption may be on another picture
        if group is not None and (not isinstance(group, str) or len(group) > ALBUM_ID_CHARACTERS):
            raise ValueError
        inquiry, digest = inquiry_of([message], self._me), str(revision_of(message, update_id))
        wanted = group is not None or is_for(self._me, message)
        if message.forward_origin:
            return partial(self._receive_forward, key, conversation_id, payload, message, group, wanted, digest)
        if not wanted:
            return None
        if inquiry.command == "stop":
            return partial(self._stop, key, conversation_id, payload, group, digest, inquiry)
        if group is None and may_be_comment(message, inquiry):
            group = f"{COMMENT}{message.message_id}"
        if message.media_group_id is None:
            return partial(self._receive_message, key, conversation_id, payload, group, digest, inquiry)
        return partial(self._dispatcher.inbox.receive, key, conversation_id, payload, group, digest)

    async def _receive_message(
        self, key: str, conversation_id: str, payload: str, group: str | None, digest: str, inquiry: Inquiry
    ) -> None:
        """Receive a message that is no album's, and mark it if it has to wait. An album is marked in its turn."""
        received = await self._dispatcher.inbox.receive(key, conversation_id, payload, group, digest)
        if received and inquiry.asker is not None:
            chat, person_id = str(inquiry.chat_id), str(inquiry.asker.id)
            self._dispatcher.mark_waiting(key, conversation_id, Spot(chat, str(inquiry.message_id)), person_id, [chat])

    async def _receive_forward(
        self,
        key: str,
        conversation_id: str,
        payload: str,
        message: Message,
        group: str | None,
        wanted: bool,
        digest: str,
    ) -> None:
        """Receive a forward as one question with the words that its sender wrote just before it."""
        last = await self._dispatcher.inbox.last(conversation_id)
        if last and last.group and last.group.startswith(COMMENT):
            before = Update.de_json(json.loads(last.payload), self._bot).message
            if before and belongs_to(before, message):
                group, wanted = last.group, True
        if wanted:
            await self._dispatcher.inbox.receive(key, conversation_id, payload, group, digest)

    def _read_edited(self, payload: str, message: Message, update_id: int) -> Action | None:
        """Read a message with new words, or a new picture. One that was edited late changes nothing.

        Edits of bots count for nothing, because some write their answers by edits.
        """
        author = self._writer_of(message)
        if author is None or author.writer is Writer.BOT:
            return None
        if not (message.media_group_id or is_for(self._me, message)):
            return None
        inquiry = inquiry_of([message], self._me)  # raises for what could not be read again later
        if message.edit_date is None or (message.edit_date - message.date).total_seconds() > EDIT_SECONDS:
            return None
        revision = revision_of(message, update_id)
        return partial(self._edit, self._key_of(message), payload, message, inquiry, revision)

    async def _edit(self, key: str, payload: str, message: Message, inquiry: Inquiry, revision: Revision) -> None:
        """Answer an edited message again, or at all if it was not for the bot before. Its new words may be /stop."""
        conversation_id = conversation_of(message)
        if await self._store.conversation_of(key) not in (None, conversation_id):
            return  # the copy of a post that is answered elsewhere
        group = message.media_group_id
        reopens = group is None or bool(message.caption)  # the question of an answered album is its caption
        stops = inquiry.command == "stop" and await self._worker.may(inquiry.asker, inquiry.chat_id)
        digest = str(revision)
        receive: Callable[[], Awaitable[bool]]
        if stops:
            receive = partial(self._stop, key, conversation_id, payload, group, digest, inquiry)
        else:
            receive = partial(self._dispatcher.inbox.receive, key, conversation_id, payload, group, digest)
        edit = partial(self._dispatcher.edit, key, payload, revision, receive, reopens=reopens)
        await (self._dispatcher.running.stop_by_edit(key, revision, edit) if stops else edit())

    async def _stop(
        self, key: str, conversation_id: str, payload: str, group: str | None, digest: str, inquiry: Inquiry
    ) -> bool:
        """Stop because of a message; a stranger's is only received. Return False if it had been received before."""
        if not await self._worker.may(inquiry.asker, inquiry.chat_id):
            return await self._dispatcher.inbox.receive(key, conversation_id, payload, group, digest)
        stop_by, has_files = self._dispatcher.running.stop_by, bool(inquiry.files)
        return await stop_by(key, conversation_id, payload, group, digest, has_files=has_files)

    def _read_button(self, key: str, payload: str, update: Update, query: CallbackQuery) -> Action:
        press = press_of(query)
        if press is None or press.in_channel:  # where there are no buttons, because everybody who reads could press
            return partial(self._answer_button, query.id)
        read([update], self._me)  # raises for what could not be read again later
        return partial(self._receive_button, press, payload)

    async def _receive_button(self, press: Press, payload: str) -> None:
        translator = Translator(press.asker.language).for_question(press.question)
        person_id, chat = str(press.asker.id), str(press.chat_id)
        standing = await self._dispatcher.permissions.standing(person_id, [chat])
        if standing is Standing.BLOCKED:
            await self._answer_button(press.query_id)
        elif standing is None:
            due = self._dispatcher.strangers.claim_notice(f"telegram:{person_id}", chat)
            who = person_id if person_id == chat else f"{person_id} ({chat})"
            await self._answer_button(press.query_id, strangers.stranger_line(who, translator) if due else None)
        elif decided := decided_in(press.data):
            await self._decide(press, *decided, translator)
        elif press.data == STOP and await self._stop_by(press):
            await self._answer_button(press.query_id, translator.say("Stopping …"))
        elif press.data == STOP:
            await self._answer_button(press.query_id, translator.say("This is finished already."))
            await self._take_stop_away(press)
        elif press.is_command:
            # Repeated presses of one button count as one, except for settings, which are set again.
            again = f":{press.query_id}" if press.data.startswith(SET) else ""
            key = f"telegram:{self._me.id}:{press.data}:{press.chat_id}:{press.message_id}{again}"
            await self._dispatcher.inbox.receive(key, press.conversation_id, payload)
            await self._answer_button(press.query_id)
        else:
            await self._answer_button(press.query_id, translator.say(FORGOTTEN))

    async def _stop_by(self, press: Press) -> bool:
        return await self._dispatcher.running.stop(press.conversation_id, partial(is_about, press))

    async def _take_stop_away(self, press: Press) -> None:
        """Take a Stop button away that no edit takes away any more, and leave the buttons of a finished answer."""
        if self._dispatcher.running.shows(press.conversation_id, partial(is_about, press)):
            return
        # A message that was never stored is a leftover of a crash; no restart would find it.
        if not await self._store.is_posted("telegram", press.posted_id):
            self._later(self._bot.delete_message(press.chat_id, press.message_id))
        elif press.has_stop:
            self._later(self._bot.edit_message_reply_markup(press.chat_id, press.message_id))

    async def _decide(self, press: Press, decision: Decision, person_id: str, translator: Translator) -> None:
        """Carry out an admin's decision about a stranger. A client can send any button data, so check the sender."""
        admin = str(press.asker.id)
        if admin not in self._dispatcher.permissions.listed.admins:
            await self._answer_button(press.query_id, translator.say(ADMINS_ONLY))
            return
        note = await self._dispatcher.permissions.decide(person_id, decision, admin)
        await self._answer_button(press.query_id, translator.explain(note))
        told = f"{press.text}\n\n{strangers.in_all_languages(note)}".strip()
        self._later(self._bot.edit_message_text(told, press.chat_id, press.message_id))

    def _later(self, call: Coroutine[Any, Any, object]) -> None:
        self._worker.background.start(ignoring_errors(call))

    async def _answer_button(self, query_id: str, sentence: str | None = None) -> None:
        """Stop the button's spinner, and show `sentence` above the chat, where Telegram accepts 200 characters."""
        self._later(self._bot.answer_callback_query(query_id, sentence and sentence[:200]))

    def _read_reaction(self, reaction: MessageReactionUpdated) -> Action | None:
        """Read a thumb as a rating. It is not stored first, since losing one does not matter."""
        if not self._store.ratings or reaction.user is None:
            return None
        emoji = {kind.emoji for kind in reaction.new_reaction if isinstance(kind, ReactionTypeEmoji)}
        rating = 1 if "👍" in emoji else -1 if "👎" in emoji else 0
        chat_id = chat_id_of(reaction)
        return partial(self._rate, person_of(reaction.user), chat_id, f"{chat_id}:{reaction.message_id}", rating)

    async def _rate(self, asker: Author, chat_id: int, posted_id: str, rating: int) -> None:
        if await self._worker.may(asker, chat_id):
            await self._store.rate_posted("telegram", posted_id, rating)


def _as_message(raw: Json, kind: str) -> str:
    """Return an update as it is stored: whatever kind of message it brought, as a message."""
    return json.dumps({"update_id": raw["update_id"], "message": raw[kind]})
