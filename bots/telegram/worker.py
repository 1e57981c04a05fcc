"""Work off what the receiver stored: each message, album or pressed button becomes an answer in its chat."""

import asyncio
import json
import logging
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from telegram import Bot, InlineKeyboardMarkup, Message, Update, User
from telegram.constants import ChatAction
from telegram.error import TelegramError

from bots.conversing import strangers
from bots.conversing.actions import DisplayOptions
from bots.conversing.allow_list import AllowList
from bots.conversing.commands import asks_model, pressed_question
from bots.conversing.dispatcher import Dispatcher
from bots.conversing.draft import FIRST_QUESTIONS, AnswerAction, NotWritable, Refused, RetryLater
from bots.conversing.request import AnswerRequest, forgets
from bots.conversing.services import Services
from bots.conversing.streamed_reply import reply_factory
from bots.telegram.buttons import FORGOTTEN, RETRY, UNDELIVERED, Buttons, about_stranger
from bots.telegram.config import TelegramConfig
from bots.telegram.draft import TelegramDraft
from bots.telegram.files import Undelivered, attachments
from bots.telegram.inquiry import Inquiry, read
from bots.telegram.kinds import describe_kind
from bots.telegram.leftovers import sweep
from bots.telegram.message import Author, conversation_of
from bots.telegram.place import Place, ids_of
from bots.telegram.platform import TELEGRAM
from bots.telegram.rate_limit import Rank, RateLimit
from bots.telegram.sender import Sender
from bots.telegram.transport import convert_errors
from core import inbox, trace
from core.answers.receipt import not_looked_at
from core.i18n import Translator
from core.pictures.refusals import by_name

log = logging.getLogger(__name__)
TELLING_ATTEMPTS = 5
COMMENT = "said:"  # prefix of the group of words that a forward may follow
COMMENT_SECONDS = 0.6  # how long such words wait for it; clients send both at once


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
        self.dispatcher = Dispatcher(
            services,
            TELEGRAM,
            self._work,
            self._forgets,
            AllowList.of(config),
            partial(_gathering, settled),
            self._ask_admins,
        )
        self._config = config
        self._bot = bot
        self._me = me
        self._services = services
        self._undelivered = Undelivered()
        self._rate_limit = rate_limit or RateLimit()
        self._background: set[asyncio.Task[Any]] = set()

    async def close(self) -> None:
        """Stop. Unfinished messages wait on disk for the next start."""
        await self.dispatcher.inbox.close()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    def later(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run a task in the background whose failure does not matter."""

        async def attempt() -> None:
            with suppress(TelegramError):
                await convert_errors(work)

        self._later(attempt())

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

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
        if inquiry is None or not forgets(inquiry.command, inquiry.text, _is_group(inquiry)):
            return False
        return await self.may(inquiry.asker, inquiry.chat_id)

    def _update(self, payload: str) -> Update:
        return Update.de_json(json.loads(payload), self._bot)

    async def _work(self, batch: Sequence[inbox.StoredMessage]) -> None:
        """Answer a message, an album or a pressed button. Raises only errors that the inbox should retry."""
        trace.set_current(batch[0].key)
        try:
            updates = [self._update(message.payload) for message in batch]
            inquiry = read(updates, self._me)
        except Exception as error:  # stored by an older version; every start would fail on it
            log.warning("message %s cannot be read and is dropped: %s", batch[0].key, type(error).__name__)
            return
        moved = updates[0].message
        if moved and moved.migrate_to_chat_id:
            await self._move(moved, moved.migrate_to_chat_id)
        elif inquiry and inquiry.asker:
            await self._answer(batch[0], inquiry, inquiry.asker)

    async def _move(self, message: Message, new_chat_id: int) -> None:
        log.warning(
            "Telegram chat %s became the supergroup %s: put the new id into allow in [bots.telegram]",
            message.chat.id,
            new_chat_id,
        )
        await self._services.store.move(conversation_of(message), f"telegram:{new_chat_id}:0")

    async def _answer(self, message: inbox.StoredMessage, inquiry: Inquiry, asker: Author) -> None:
        translator = Translator(asker.language).for_question(inquiry.text)
        text, command = inquiry.text, inquiry.command
        if command is not None and (pressed := pressed_question(command)) is not None:
            text, command = pressed.asked("", translator) or text, None
        if inquiry.of_retry and not await self._services.store.turn_of_sent(
            "telegram", inquiry.about or "", message.conversation_id
        ):
            inquiry = replace(inquiry, about=None)  # the /retry was refused; it was about the last question
        if inquiry.undelivered and (files := self._undelivered.take(inquiry.chat_id, inquiry.message_id)):
            inquiry = replace(inquiry, files=files)
        request = AnswerRequest(
            message.conversation_id,
            message.key,
            TELEGRAM,
            f"telegram:{asker.id}",
            text,
            command,
            attachments(
                self._bot, inquiry.chat_id, inquiry.message_id, inquiry.files, self._services.images, self._undelivered
            ),
            inquiry.about,
            user=str(asker.id),
            called=asker.name,
            places=(str(inquiry.chat_id),),
            quiet=_is_group(inquiry),
            shared=_is_group(inquiry),
            begun_by_another=_is_group(inquiry),
            notes=_notes(inquiry, translator),
            display=DisplayOptions(files=True, receipt=self._config.receipt),
        )
        refusal = self._refusal(inquiry, translator)
        reply = reply_factory(partial(self._draft, inquiry, translator), translator)
        try:
            await self.dispatcher.answer(message, request, translator, reply, refusal=refusal)
        except NotWritable:
            if asker.id > 0:  # a person, not a channel in whose name a person writes
                await self._tell_privately(asker, translator)
        except Refused:
            log.info("the answer has no reader any more")

    async def _tell_privately(self, asker: Author, translator: Translator) -> None:
        sentence = translator.say("I cannot write in that group. Ask one of its admins to let me, or ask me here.")
        await self._post_privately(asker.id, sentence)

    def _ask_admins(self, request: AnswerRequest) -> None:
        """Ask each admin, in the background, whether a stranger is let in."""
        text, buttons = strangers.told_to_admins(request), about_stranger(request.user)
        for admin in self._config.admins:
            self._later(self._post_privately(admin, text, buttons))

    async def _post_privately(self, person: int, text: str, buttons: InlineKeyboardMarkup | None = None) -> None:
        """Write to somebody in private, which works if they have written to the bot there.

        Gives up after a few attempts.
        """
        sender = Sender(self._rate_limit, Place(person, 0, 0))
        for _ in range(TELLING_ATTEMPTS):
            try:
                await sender.post(partial(self._bot.send_message, text=text, reply_markup=buttons), Rank.FINAL)
                break
            except RetryLater as later:
                await asyncio.sleep(later.seconds)
            except (Refused, TelegramError) as error:
                log.info("%s cannot be told in private: %s", person, error)
                break
        sender.close()

    def _refusal(self, inquiry: Inquiry, translator: Translator) -> str | None:
        if inquiry.is_strange:
            for other in inquiry.others:  # a file's name, or a kind such as `video`
                if (known := by_name(other, other)) is not None:
                    return translator.explain(known)
            return translator.say("I can only look at pictures and PDF files. Send me one and ask about it.")
        if inquiry.undelivered and not inquiry.files:  # after a restart the files are unknown
            return translator.say(FORGOTTEN)
        return None

    def _draft(self, inquiry: Inquiry, translator: Translator, message: inbox.StoredMessage) -> TelegramDraft:
        place = Place(inquiry.chat_id, inquiry.topic, inquiry.message_id)
        stoppable = asks_model(inquiry.command) or _begins_with_a_question(inquiry)

        def typing() -> None:
            self.later(self._bot.send_chat_action(place.chat_id, ChatAction.TYPING, message_thread_id=place.thread))

        def found(sent: str) -> None:
            self._later(sweep(self._bot, self._rate_limit, self._services.store, place, sent))

        first = not message.sent
        sender = Sender(self._rate_limit, place, first, message.resumed and first, found)
        buttons = Buttons(translator, stoppable, partial(self._again, inquiry))
        interval, preview = self._config.interval_seconds, self._config.draft_preview
        return TelegramDraft(self._bot, sender, buttons, interval, preview, typing)

    def _again(self, inquiry: Inquiry) -> str:
        """Return the data of a button that repeats the question."""
        if self._undelivered.has(inquiry.chat_id, inquiry.message_id):
            return f"{RETRY}:{UNDELIVERED}"
        if inquiry.command == AnswerAction.SMALL_PRINT and inquiry.about:
            return f"{AnswerAction.SMALL_PRINT}:{ids_of(inquiry.about)[1]}"
        return inquiry.command if inquiry.command in FIRST_QUESTIONS else RETRY


def _gathering(settled: asyncio.Event | None, group: str) -> inbox.Gathering:
    """Return how a group gathers: a comment waits a moment for its forwarded message, and for nothing else."""
    return inbox.Gathering(COMMENT_SECONDS) if group.startswith(COMMENT) else inbox.Gathering(settled=settled)


def _is_group(inquiry: Inquiry) -> bool:
    return inquiry.chat_id < 0


def _begins_with_a_question(inquiry: Inquiry) -> bool:
    return inquiry.command == "new" and bool(inquiry.text or inquiry.files)


def _notes(inquiry: Inquiry, translator: Translator) -> tuple[str, ...]:
    """Return notes about what was sent with a picture and is not looked at."""
    names = list(dict.fromkeys(describe_kind(kind, translator) for kind in inquiry.others))
    return (not_looked_at(names, translator),) if names else ()
