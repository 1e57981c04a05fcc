"""Say what an inquiry on Telegram wants, in the words of all platforms."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from telegram import Bot
from telegram.constants import ChatMemberStatus
from telegram.error import TelegramError

from bots.conversing.asker import Asker
from bots.conversing.commands import pressed_question
from bots.conversing.display import DisplayOptions
from bots.conversing.reactions import Spot
from bots.conversing.reply_hooks import ReplyHooks
from bots.conversing.request import AnswerRequest
from bots.conversing.services import Services
from bots.telegram.buttons import FORGOTTEN
from bots.telegram.config import TelegramConfig
from bots.telegram.files import Undelivered, attachments
from bots.telegram.inquiry import Inquiry
from bots.telegram.kinds import describe_kind
from bots.telegram.message import Author, TelegramFile
from bots.telegram.platform import TELEGRAM, in_a_group
from bots.telegram.transport import convert_errors
from core.answers.receipt import not_looked_at
from core.errors import NotDelivered
from core.i18n import Translator
from core.image import Image
from core.pictures.refusals import by_name
from core.stored_message import StoredMessage

log = logging.getLogger(__name__)


class Requests:
    def __init__(self, config: TelegramConfig, bot: Bot, services: Services, undelivered: Undelivered) -> None:
        self._display = DisplayOptions(files=True, receipt=config.receipt)
        self._bot = bot
        self._services = services
        self._undelivered = undelivered

    async def complete(self, inquiry: Inquiry, conversation_id: str) -> Inquiry:
        """Return the inquiry with what is not in its messages: which answer it is about, and files tried before."""
        if inquiry.of_retry and not await self._services.store.turn_of_posted(
            "telegram", inquiry.about or "", conversation_id
        ):
            inquiry = replace(inquiry, about=None)  # the /retry was refused; it was about the last question
        if inquiry.undelivered and (files := self._undelivered.take(inquiry.chat_id, inquiry.message_id)):
            inquiry = replace(inquiry, files=files)
        return inquiry

    def of(self, message: StoredMessage, inquiry: Inquiry, asker: Author, translator: Translator) -> AnswerRequest:
        pressed = pressed_question(inquiry.command, translator)
        chat_id, message_id, is_group = inquiry.chat_id, inquiry.message_id, inquiry.is_in_group
        return AnswerRequest(
            conversation_id=message.conversation_id,
            key=message.key,
            platform=TELEGRAM,
            asker=Asker(
                person=f"telegram:{asker.id}",
                person_id=str(asker.id),
                called=asker.name,
                chat_ids=(str(chat_id),),
                shared=is_group,
                automatic=asker.is_automatic,
            ),
            text=pressed or inquiry.text,
            command=None if pressed else inquiry.command,
            files=attachments(self._bot, chat_id, message_id, inquiry.files, self._services.images, self._undelivered),
            about=inquiry.about,
            quiet=is_group,
            begun_by_another=is_group,
            notes=_notes(inquiry, translator),
            display=self._display,
            spot=None if inquiry.pressed else Spot(str(chat_id), str(message_id)),
            bot=f"@{self._bot.username}" if is_group else "",
            introduction=in_a_group(self._bot.username) if is_group else (),
            shown=inquiry.shown,
            replaces=inquiry.replaces,
            hooks=ReplyHooks(
                may_change_settings=partial(self._may_change_settings, chat_id, asker),
                on_opened=partial(self._remember, message.conversation_id, inquiry.files),
            ),
        )

    async def _remember(
        self, conversation_id: str, files: Sequence[TelegramFile], index: int, images: Sequence[Image]
    ) -> None:
        """Remember what a file became, which an edit of its message may replace."""
        if name := files[index].stored:
            await self._services.store.remember_file(name, conversation_id, [image.id for image in images])

    async def _may_change_settings(self, chat_id: int, asker: Author) -> bool:
        """Return whether the chat is the asker's own, or a group of which they are an admin. Raises `BotError`."""
        if asker.id == chat_id:  # alone with the bot, or an admin who writes in the group's name
            return True
        try:
            member = await convert_errors(self._bot.get_chat_member(chat_id, asker.id))
        except TelegramError as error:
            log.warning("who is an admin of a group cannot be seen: %s", error)
            raise NotDelivered(
                "Telegram does not tell me whether you are an admin here. Please try again in a moment."
            ) from error
        return member.status in (ChatMemberStatus.ADMINISTRATOR, ChatMemberStatus.OWNER)


def refusal_of(inquiry: Inquiry, translator: Translator) -> str | None:
    """Return what is said instead of an answer, if the inquiry shows no picture or its files are unknown."""
    if inquiry.is_strange:
        for other in inquiry.others:  # a file's name, or a kind such as `video`
            if (known := by_name(other, other)) is not None:
                return translator.explain(known)
        return translator.say("I can only look at pictures and PDF files. Send me one and ask about it.")
    if inquiry.undelivered and not inquiry.files:  # after a restart the files are unknown
        return translator.say(FORGOTTEN)
    return None


def _notes(inquiry: Inquiry, translator: Translator) -> tuple[str, ...]:
    """Return notes about what was sent with a picture and is not looked at."""
    names = list(dict.fromkeys(describe_kind(kind, translator) for kind in inquiry.others))
    return (not_looked_at(names, translator),) if names else ()
