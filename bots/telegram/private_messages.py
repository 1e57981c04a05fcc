"""Write to people in private: admins about strangers, and askers who cannot be answered where they asked."""

import asyncio
import logging
from functools import partial

from telegram import Bot, InlineKeyboardMarkup
from telegram.error import TelegramError

from bots.conversing import strangers
from bots.conversing.background import Background
from bots.conversing.delivery_errors import Refused, RetryLater
from bots.conversing.request import AnswerRequest
from bots.telegram.buttons import about_stranger
from bots.telegram.config import TelegramConfig
from bots.telegram.message import Author
from bots.telegram.place import Place
from bots.telegram.rate_limit import Rank, RateLimit
from bots.telegram.sender import Sender
from core.i18n import Translator

log = logging.getLogger(__name__)
ATTEMPTS = 5


class PrivateMessages:
    """Telegram delivers them to people who have written to the bot in private."""

    def __init__(self, config: TelegramConfig, bot: Bot, rate_limit: RateLimit, background: Background) -> None:
        self._admins = config.admins
        self._bot = bot
        self._rate_limit = rate_limit
        self._background = background

    def ask_admins(self, request: AnswerRequest) -> None:
        """Ask each admin, in the background, whether a stranger is let in."""
        text, buttons = strangers.told_to_admins(request), about_stranger(request.asker.person_id)
        for admin in self._admins:
            self._background.start(self._post(admin, text, buttons))

    async def say_undelivered(self, asker: Author, translator: Translator) -> None:
        """Tell the asker that their answer could not be written, if they are a person."""
        if asker.id > 0 and not asker.is_automatic:
            sentence = translator.say("I cannot write in that group. Ask one of its admins to let me, or ask me here.")
            await self._post(asker.id, sentence)

    async def _post(self, person: int, text: str, buttons: InlineKeyboardMarkup | None = None) -> None:
        sender = Sender(self._rate_limit, Place(person, 0, 0))
        for _ in range(ATTEMPTS):
            try:
                await sender.post(partial(self._bot.send_message, text=text, reply_markup=buttons), Rank.FINAL)
                break
            except RetryLater as later:
                await asyncio.sleep(later.seconds)
            except (Refused, TelegramError) as error:
                log.info("%s cannot be told in private: %s", person, error)
                break
        sender.close()
