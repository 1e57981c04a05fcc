"""Works off what the reception wrote down: each message, album or press of a button becomes an answer in its chat."""

import asyncio
import json
import logging
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from telegram import Bot, Document, Message, PhotoSize, Update, User
from telegram.constants import ChatAction, ChatType
from telegram.error import TelegramError

from bots.desk import Desk
from bots.draft import Refused
from bots.extras import Offer, Wishes
from bots.house import House
from bots.request import Attachment, Request
from bots.telegram.buttons import RETRY
from bots.telegram.config import Config
from bots.telegram.draft import TelegramDraft
from bots.telegram.files import download
from bots.telegram.inquiry import Inquiry, conversation_of, inquiry_of, read
from bots.telegram.pace import Pace
from bots.telegram.place import Place, ids_of, sent_id
from core import inbox, trace
from core.errors import NotAllowed
from core.voice import Voice

log = logging.getLogger(__name__)


class Clerk:
    """`me` is the bot itself."""

    def __init__(
        self,
        config: Config,
        bot: Bot,
        me: User,
        house: House,
        pace: Pace | None = None,
        settled: asyncio.Event | None = None,
    ) -> None:
        self.desk = Desk(
            house, "telegram", self._work, self._forgets, frozenset(map(str, config.admins)), settled=settled
        )
        self._config = config
        self._bot = bot
        self._me = me
        self._house = house
        self._pace = pace or Pace()
        self._background: set[asyncio.Task[Any]] = set()

    async def close(self) -> None:
        """What is not finished waits on disk for the next start."""
        await self.desk.inbox.close()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    def allows(self, user: User | None, chat_id: int) -> bool:
        return user is not None and self._config.allows(user.id, chat_id)

    def stranger(self, user: User, chat_id: int) -> NotAllowed:
        return NotAllowed(
            "You are not on this bot's list. Whoever runs it can let you in: allow = [{user}] in [bots.telegram] for "
            "you, [{chat}] for everybody in this chat.",
            user=user.id,
            chat=chat_id,
        )

    def later(self, work: Coroutine[Any, Any, Any]) -> None:
        """A courtesy that nothing waits for and whose failure does not matter."""

        async def attempt() -> None:
            with suppress(TelegramError):
                await work

        task = asyncio.create_task(attempt())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def may(self, user: User | None, chat_id: int) -> bool:
        """For what is done at once; who is blocked is seen by the desk for all that is written down."""
        return user is not None and self.allows(user, chat_id) and not await self.desk.is_blocked(str(user.id))

    async def _forgets(self, payload: str) -> bool:
        if "/forget" not in payload.lower():
            return False
        message = Update.de_json(json.loads(payload), self._bot).message
        inquiry = read([message], self._me) if message else None
        return (
            inquiry is not None
            and inquiry.command == "forget"
            and await self.may(inquiry.message.from_user, inquiry.message.chat.id)
        )

    def _updates(self, batch: Sequence[inbox.Message]) -> list[Update]:
        return [Update.de_json(json.loads(message.payload), self._bot) for message in batch]

    async def _work(self, batch: Sequence[inbox.Message]) -> None:
        """Answer a message, an album or a press of a button. Raises only what the inbox should try again."""
        trace.begin(batch[0].key)
        updates = self._updates(batch)
        query = updates[0].callback_query
        if query and isinstance(query.message, Message):
            question = query.message.reply_to_message or query.message
            own = question.from_user is not None and question.from_user.id == self._me.id  # what was asked is gone
            inquiry = Inquiry(question) if own else inquiry_of([question], self._me)
            command, _, answer = (query.data or "").partition(":")  # a refusal's button names the answer it is about
            below = f"{query.message.chat.id}:{answer}" if answer else sent_id(query.message)
            about: str | None = below
            if inquiry.command == RETRY and not await self._house.store.turn_of_sent(
                "telegram", below, batch[0].conversation_id
            ):
                about = None  # a refused /retry, which is about the last question
            inquiry, asker = replace(inquiry, command=command, about=about), query.from_user
        else:
            messages = [update.message for update in updates if update.message]
            if messages and messages[0].migrate_to_chat_id:
                await self._move(messages[0], messages[0].migrate_to_chat_id)
                return
            found = read(messages, self._me)
            if found is None or found.message.from_user is None:
                return
            inquiry, asker = found, found.message.from_user
        await self._answer(batch[0], inquiry, asker)

    async def _move(self, message: Message, new_chat_id: int) -> None:
        log.warning(
            "Telegram chat %s became the supergroup %s: put the new id into allow in [bots.telegram]",
            message.chat.id,
            new_chat_id,
        )
        await self._house.store.move(conversation_of(message), f"telegram:{new_chat_id}:0")

    async def _answer(self, message: inbox.Message, inquiry: Inquiry, asker: User) -> None:
        voice = Voice(asker.language_code)
        request = Request(
            message.conversation_id,
            message.key,
            f"telegram:{asker.id}",
            inquiry.text,
            inquiry.command,
            tuple(self._attachment(file) for file in inquiry.files),
            inquiry.about,
            _help(voice),
            quiet=inquiry.message.chat.type != ChatType.PRIVATE,
            wishes=Wishes(files=True, receipt=self._config.receipt),
        )
        draft = partial(self._draft, inquiry=inquiry, voice=voice)
        try:
            await self.desk.answer(message, request, voice, draft, refusal=self._refusal(inquiry, asker, voice))
        except Refused:
            log.info("nobody can read the answer any more")

    def _attachment(self, file: PhotoSize | Document) -> Attachment:
        name = (file.file_name or "") if isinstance(file, Document) else ""
        return Attachment(partial(download, self._bot, file, self._house.images), name)

    def _refusal(self, inquiry: Inquiry, asker: User, voice: Voice) -> str | None:
        if not self.allows(asker, inquiry.message.chat.id):
            return voice.explain(self.stranger(asker, inquiry.message.chat.id))
        if inquiry.strange:
            return voice.say(
                "I can only look at pictures: photos, and pictures sent as files. Send me one and ask about it."
            )
        return None

    def _draft(self, message: inbox.Message, inquiry: Inquiry, voice: Voice) -> TelegramDraft:
        chat_id, topic = message.conversation_id.split(":")[1:]
        place = Place(int(chat_id), int(topic), inquiry.message.message_id)

        def typing() -> None:
            self.later(self._bot.send_chat_action(place.chat_id, ChatAction.TYPING, message_thread_id=place.thread))

        return TelegramDraft(
            self._bot,
            self._pace,
            place,
            voice,
            self._config.interval,
            typing,
            first=not message.sent,
            stoppable=inquiry.command in (None, RETRY, Offer.SMALL_PRINT),
            preview=self._config.draft_preview,
            again=_again(inquiry),
        )


def _again(inquiry: Inquiry) -> str:
    """What a button sends that asks the same once more."""
    if inquiry.command == Offer.SMALL_PRINT and inquiry.about:
        return f"{Offer.SMALL_PRINT}:{ids_of(inquiry.about)[1]}"
    return RETRY


def _help(voice: Voice) -> str:
    return voice.say(
        "Send me a picture with your question as its caption, or reply to a picture with a question. "
        "Then simply ask on.\n\n"
        "Several pictures at once work too; I number them, so you can say: compare picture 1 and 2. "
        "A picture sent as a file keeps its small print sharper than a photo. PDF works too.\n\n"
        "In a group, mention me or reply to me.\n\n"
        "/new begins a new conversation\n/pictures lists this conversation's pictures\n/remove 2 removes picture 2\n"
        "/stop stops an answer\n/retry answers the last question again\n"
        "/export gives you the conversation as a file\n"
        "/forget deletes this conversation and its pictures"
    )
