"""Write an answer into a Telegram chat: placeholder, edits, buttons. Knows no conversation and no model."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from telegram import (
    Bot,
    InlineKeyboardMarkup,
    InputMediaDocument,
    InputMediaPhoto,
    LinkPreviewOptions,
    Message,
    MessageEntity,
)
from telegram.error import BadRequest, TelegramError

from bots.conversing.answer_action import AnswerAction
from bots.conversing.backoff import Backoff
from bots.conversing.delivery_errors import Gone, RetryLater
from bots.conversing.events import File
from bots.telegram import text
from bots.telegram.buttons import Buttons
from bots.telegram.rate_limit import Rank
from bots.telegram.sender import Result, Sender
from bots.telegram.text import TextPart
from core.answer import Answer

log = logging.getLogger(__name__)
NO_PREVIEW = LinkPreviewOptions(is_disabled=True)  # a link read from a picture must not be fetched
LARGEST_FILE_BYTES = 50_000_000  # https://core.telegram.org/bots/api#senddocument
TYPING_SECONDS = 4.0  # Telegram shows it for five seconds


class TelegramDraft:
    """A `bots.conversing.draft.Draft` of `TextPart`s. Use it with `async with`.

    `typing` shows that the bot is at work; it is no message and has no rate limit that matters.
    """

    keeps_old_answer = False

    def __init__(
        self, bot: Bot, sender: Sender, buttons: Buttons, interval: float, preview: bool, typing: Callable[[], None]
    ) -> None:
        self.interval = interval
        self._bot = bot
        self._sender = sender
        self._buttons = buttons
        self._translator = buttons.translator
        self._preview = preview and sender.first and sender.chat_id > 0  # Telegram has drafts in private chats only
        self._typing = typing
        self._typed = float("-inf")  # loop time of the last typing status
        self._skipped = Backoff()  # growing texts that were refused
        self._grows = self._has_words = False  # the answer has begun; some of its words are shown

    async def __aenter__(self) -> "TelegramDraft":
        self._show_typing()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._sender.close()

    @property
    def scarce(self) -> bool:
        return self._sender.scarce or not self._buttons.stoppable

    def offer(self, actions: tuple[AnswerAction, ...]) -> None:
        """Set the actions for which the finished answer gets buttons."""
        self._buttons.actions = actions

    def split(self, text_: str) -> list[TextPart]:
        return text.split(text_)

    async def status(self, sentence: str) -> bool:
        return await self._show_preview(sentence or self._translator.say("One moment …"))

    async def preview(self, text_: str) -> bool:
        self._grows = True
        self._sender.grows()
        return await self._show_preview(text_)

    async def _show_preview(self, text_: str) -> bool:
        if not self._preview:
            return False
        parts = text.split(text_)
        if len(parts) > 1:
            self._preview = False
            return False
        try:
            await self._paced(
                self._sender.write(
                    lambda: self._bot.send_message_draft(
                        self._sender.chat_id,
                        self._sender.question,
                        parts[0].text,
                        message_thread_id=self._sender.topic,
                        entities=_entities(parts[0]),
                    ),
                    Rank.GROWING,
                )
            )
        except BadRequest as error:
            log.info("no draft preview: %s", error)
            self._preview = False
        return self._preview

    async def post(self, part: TextPart | None = None) -> str:
        shown = part or TextPart(self._translator.say("One moment …"))
        try:
            posted_id = await self._paced(
                self._sender.post(self._message(shown, self._buttons.below(None)), Rank.FIRST if part else Rank.POST)
            )
            self._has_words = self._has_words or part is not None
            return posted_id
        except BadRequest as error:
            raise self._sender.refused(error) from error

    async def edit(self, posted_id: str, part: TextPart, answer: Answer | None, last: bool) -> None:
        """Edit a message. A refused growing text is skipped; a refused final text is tried in plainer forms."""
        if answer is None:
            buttons = self._buttons.below(None) if last else None
            try:
                rank = Rank.GROWING if self._has_words or not self._grows else Rank.FIRST
                await self._paced(self._sender.edit(posted_id, self._new_text(part, buttons), rank))
                self._has_words = self._grows
            except BadRequest as error:
                log.info("Telegram refuses a growing text, which is skipped: %s", error)
                raise RetryLater(self._skipped.next_pause()) from error
            return
        for plainer, buttons in self._ways(part, answer, last):
            try:
                await self._sender.edit(posted_id, self._new_text(plainer, buttons))
                return
            except BadRequest as error:
                log.warning("Telegram refuses an answer; trying a plainer form: %s", error)
        raise Gone

    async def send(self, content: TextPart | File, answer: Answer, last: bool) -> str:
        refusal = TelegramError("nothing could be sent")
        for message in self._messages(content, answer, last):
            try:
                return await self._sender.post(message, Rank.FINAL)
            except BadRequest as error:
                log.warning("Telegram refuses a message; trying a plainer form: %s", error)
                refusal = error
        raise self._sender.refused(refusal)

    async def attach(self, posted_id: str, file: File) -> None:
        """Turn the placeholder into the file. This can be repeated safely; posting a file twice would show it twice."""
        for kind in _kinds(file):
            media = kind(file.data, caption=file.caption or None, filename=file.name)
            try:
                await self._sender.edit(posted_id, partial(self._bot.edit_message_media, media))
                return
            except BadRequest as error:
                log.warning("Telegram refuses a file as a %s: %s", media.type, error)
        try:
            await self._sender.edit(posted_id, self._new_text(self._not_taken(file), None))
        except BadRequest as error:
            raise Gone from error

    async def remove(self, posted_id: str) -> None:
        await self._sender.delete(posted_id, self._bot.delete_message)

    # Requests to Telegram

    def _ways(self, part: TextPart, answer: Answer, last: bool) -> list[tuple[TextPart, InlineKeyboardMarkup | None]]:
        """Return the forms to try, from the best to the plainest."""
        buttons = self._buttons.below(answer) if last else None
        ways = [(part, buttons), (TextPart(part.text), buttons), (TextPart(part.text), None)]
        return [way for index, way in enumerate(ways) if way not in ways[:index]]

    def _messages(
        self, content: TextPart | File, answer: Answer, last: bool
    ) -> list[Callable[..., Awaitable[Message]]]:
        if isinstance(content, TextPart):
            return [self._message(part, buttons) for part, buttons in self._ways(content, answer, last)]
        return [*(self._file(kind, content) for kind in _kinds(content)), self._message(self._not_taken(content), None)]

    def _file(self, kind: type, file: File) -> Callable[..., Awaitable[Message]]:
        caption = file.caption or None
        if kind is InputMediaPhoto:
            return partial(self._bot.send_photo, photo=file.data, caption=caption, filename=file.name)
        return partial(self._bot.send_document, document=file.data, caption=caption, filename=file.name)

    def _message(self, part: TextPart, buttons: InlineKeyboardMarkup | None) -> Callable[..., Awaitable[Message]]:
        return partial(
            self._bot.send_message,
            text=part.text,
            entities=_entities(part),
            reply_markup=buttons,
            link_preview_options=NO_PREVIEW,
        )

    def _new_text(
        self, part: TextPart, buttons: InlineKeyboardMarkup | None
    ) -> Callable[[int, int], Awaitable[object]]:
        return partial(
            self._bot.edit_message_text,
            part.text,
            entities=_entities(part),
            reply_markup=buttons,
            link_preview_options=NO_PREVIEW,
        )

    def _not_taken(self, file: File) -> TextPart:
        return TextPart(self._translator.say("{name} could not be sent: Telegram does not take it.", name=file.name))

    async def _paced(self, growing: Awaitable[Result]) -> Result:
        """Await a write. If a growing text has to wait, show in the chat that the bot is at work."""
        try:
            return await growing
        except RetryLater:
            self._show_typing()
            raise

    def _show_typing(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._typed >= TYPING_SECONDS:
            self._typed = now
            self._typing()


def _kinds(file: File) -> Sequence[type[InputMediaPhoto] | type[InputMediaDocument]]:
    """Return the ways to send a file, best first; none if it is too large to be uploaded.

    Telegram refuses photos over 10 MB, over 10,000 pixels of width plus height, or with one side more than 20 times the
    other. Those are sent as files.
    """
    if len(file.data) > LARGEST_FILE_BYTES:
        return ()
    return (InputMediaPhoto, InputMediaDocument) if file.is_picture else (InputMediaDocument,)


def _entities(part: TextPart) -> list[MessageEntity]:
    return [MessageEntity(e.type, e.offset, e.length, url=e.url, language=e.language) for e in part.entities]
