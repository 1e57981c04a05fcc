"""An answer being written in a Telegram chat: placeholder, edits, buttons. Knows no conversation and no model."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from telegram import (
    Bot,
    InlineKeyboardMarkup,
    InputMediaDocument,
    InputMediaPhoto,
    LinkPreviewOptions,
    MessageEntity,
    ReplyParameters,
)
from telegram.error import BadRequest, ChatMigrated, Forbidden, RetryAfter, TelegramError

from bots.draft import File, Gone, Later, Refused
from bots.extras import Offer
from bots.telegram import text
from bots.telegram.buttons import RETRY, below, while_growing
from bots.telegram.pace import Pace, Rank
from bots.telegram.place import Place, ids_of
from bots.telegram.request import understood, wait_of
from bots.telegram.text import Part
from core.conversation import Answer
from core.voice import Voice

log = logging.getLogger(__name__)
Result = TypeVar("Result")
NO_PREVIEW = LinkPreviewOptions(is_disabled=True)  # nobody's server is to be asked because a picture named it
FILE_LIMIT = 50_000_000  # bytes, https://core.telegram.org/bots/api#senddocument
TYPING_S = 4.0  # Telegram shows it for five seconds


class TelegramDraft:
    """A `bots.draft.Draft` of `Part`s; use it with `async with`. `first` means that nothing of the answer was posted
    before. `typing` shows that the bot is at work, which is no message and has no limit worth mentioning. `again` is
    what "Try again" below a refusal sends."""

    def __init__(
        self,
        bot: Bot,
        pace: Pace,
        place: Place,
        voice: Voice,
        interval: float,
        typing: Callable[[], None],
        first: bool = True,
        stoppable: bool = True,
        preview: bool = False,
        again: str = RETRY,
    ) -> None:
        self.interval = interval
        self.keeps = False
        self._bot = bot
        self._pace = pace
        self._chat_id = place.chat_id
        self._topic = place.thread
        self._question = place.question
        self._voice = voice
        self._first = first
        self._stoppable = stoppable
        self._again = again
        self._preview = preview and first and place.chat_id > 0  # Telegram has drafts in private chats only
        self._typing = typing
        self._typed = float("-inf")  # when, in loop time
        self._failures = 0
        self._offers: tuple[Offer, ...] = ()

    async def __aenter__(self) -> "TelegramDraft":
        self._show_typing()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._pace.end(self)

    def offer(self, offers: tuple[Offer, ...]) -> None:
        """The finished answer gets a button for each."""
        self._offers = offers

    def split(self, text_: str) -> list[Part]:
        return text.split(text_)

    async def status(self, sentence: str) -> bool:
        return await self._show_preview(sentence or self._voice.say("One moment …"))

    async def preview(self, text_: str) -> bool:
        self._pace.grows(self._chat_id, self)
        return await self._show_preview(text_)

    async def _show_preview(self, text_: str) -> bool:
        if not self._preview:
            return False
        parts = text.split(text_)
        if len(parts) > 1:
            self._preview = False
            return False
        try:
            await self._write(
                Rank.GROWING,
                lambda: self._bot.send_message_draft(
                    self._chat_id,
                    self._question,
                    parts[0].text,
                    message_thread_id=self._topic,
                    entities=_entities(parts[0]),
                ),
            )
        except BadRequest as error:
            log.info("no draft preview: %s", error)
            self._preview = False
        return self._preview

    async def post(self) -> str:
        reply_to = ReplyParameters(self._question, allow_sending_without_reply=True) if self._first else None
        try:
            message = await self._write(
                Rank.POST,
                lambda: self._bot.send_message(
                    self._chat_id,
                    self._voice.say("One moment …"),
                    message_thread_id=self._topic,
                    reply_parameters=reply_to,
                    reply_markup=self._buttons(None),
                    link_preview_options=NO_PREVIEW,
                ),
            )
        except ChatMigrated as error:
            self._chat_id = error.new_chat_id
            raise Later(0) from error
        except BadRequest as error:
            raise self._refused(error) from error
        self._first = False
        return f"{self._chat_id}:{message.message_id}"

    async def edit(self, sent: str, part: Part, answer: Answer | None, last: bool) -> None:
        try:
            await self._edit_text(sent, part, answer, last)
        except BadRequest as error:
            if not part.entities or "entit" not in error.message.lower():
                raise self._refused(error) from error
            log.warning("Telegram refused a formatted answer, it is shown as plain text: %s", error)
            try:
                await self._edit_text(sent, Part(part.text), answer, last)
            except BadRequest as plain:
                raise self._refused(plain) from plain

    async def attach(self, sent: str, file: File) -> None:
        """Turns the placeholder into the file, which may be done twice; posting a file twice would show it twice.

        What Telegram does not take as a photo goes as a file: over 10 MB, over 10,000 pixels of width and height
        together, one side more than 20 times the other. What is too large for a file is not uploaded.
        """
        kinds = (InputMediaPhoto, InputMediaDocument) if file.is_picture else (InputMediaDocument,)
        for kind in kinds if len(file.data) <= FILE_LIMIT else ():
            media = kind(file.data, caption=file.caption or None, filename=file.name)
            try:
                await self._edit(sent, partial(self._bot.edit_message_media, media))
                return
            except BadRequest as error:
                log.warning("Telegram does not take a file as a %s: %s", media.type, error)
        sentence = self._voice.say("{name} could not be sent: Telegram does not take it.", name=file.name)
        try:
            await self._edit(sent, partial(self._bot.edit_message_text, sentence))
        except BadRequest as error:
            raise self._refused(error) from error

    async def remove(self, sent: str) -> None:
        chat_id, message_id = ids_of(sent)
        try:
            await self._write(Rank.FINAL, lambda: self._bot.delete_message(chat_id, message_id))
        except (BadRequest, ChatMigrated) as error:
            log.info("a message could not be removed: %s", error)

    async def _edit_text(self, sent: str, part: Part, answer: Answer | None, last: bool) -> None:
        await self._edit(
            sent,
            lambda chat_id, message_id: self._bot.edit_message_text(
                part.text,
                chat_id,
                message_id,
                entities=_entities(part),
                reply_markup=self._buttons(answer) if last else None,
                link_preview_options=NO_PREVIEW,
            ),
            Rank.GROWING if answer is None else Rank.FINAL,
        )

    async def _edit(self, sent: str, call: Callable[[int, int], Awaitable[object]], rank: Rank = Rank.FINAL) -> None:
        """Raises `Gone`, and `BadRequest` for what is wrong with the content."""
        chat_id, message_id = ids_of(sent)
        if chat_id != self._chat_id:
            raise Gone  # the chat became a supergroup; what was written before cannot be edited there
        try:
            await self._write(rank, lambda: call(chat_id, message_id))
        except ChatMigrated as error:
            self._chat_id = error.new_chat_id
            raise Gone from error
        except BadRequest as error:
            reason = error.message.lower()
            if "not modified" in reason:
                return
            if "to edit not found" in reason or "can't be edited" in reason or "message_id_invalid" in reason:
                raise Gone from error
            raise

    def _buttons(self, answer: Answer | None) -> InlineKeyboardMarkup | None:
        if answer is None:
            return while_growing(self._voice) if self._stoppable else None
        return below(self._offers, answer.ending, self._again, self._voice)

    async def _write(self, rank: Rank, call: Callable[[], Awaitable[Result]]) -> Result:
        """One paced write. Raises `Later`, `Refused`, or what Telegram has against this very message."""
        try:
            async with self._pace.turn(self._chat_id, rank, self):
                result = await understood(call())
        except (BadRequest, ChatMigrated):
            raise
        except Later:  # a growing text has to wait
            self._show_typing()
            raise
        except RetryAfter as error:
            seconds = wait_of(error)
            self._pace.block(self._chat_id, seconds)
            raise Later(seconds) from error
        except Forbidden as error:
            raise self._refused(error) from error
        except TelegramError as error:
            self._failures += 1
            raise Later(min(30.0, 0.25 * 2**self._failures)) from error
        self._failures = 0
        return result

    def _show_typing(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._typed >= TYPING_S:
            self._typed = now
            self._typing()

    def _refused(self, error: TelegramError) -> Refused:
        log.warning("Telegram takes no message in chat %s: %s", self._chat_id, error)
        return Refused(error.message)


def _entities(part: Part) -> list[MessageEntity]:
    return [MessageEntity(e.type, e.offset, e.length, url=e.url, language=e.language) for e in part.entities]
