"""Set the bot's reaction to a message, which needs no rights in most chats."""

from telegram import Bot
from telegram.error import BadRequest, ChatMigrated, Forbidden, RetryAfter, TelegramError

from bots.conversing.delivery_errors import Refused, RetryLater, WriteFailed
from bots.conversing.reactions import Spot
from bots.telegram.rate_limit import RateLimit
from bots.telegram.transport import convert_errors, wait_of

EYES = "👀"
PAUSE_SECONDS = 5.0  # after a failure, or while the answers need all writes


class TelegramReacting:
    most = 1000

    def __init__(self, bot: Bot, rate_limit: RateLimit) -> None:
        self._bot = bot
        self._rate_limit = rate_limit

    async def add(self, spot: Spot) -> None:
        if not self._rate_limit.claim_spare(int(spot.chat)):
            raise RetryLater(0)
        await self._set(spot, EYES)

    async def remove(self, spot: Spot) -> None:
        await self._set(spot, None)

    async def _set(self, spot: Spot, emoji: str | None) -> None:
        try:
            await convert_errors(self._bot.set_message_reaction(int(spot.chat), int(spot.message), emoji))
        except RetryAfter as error:
            raise RetryLater(wait_of(error)) from error
        except (BadRequest, ChatMigrated, Forbidden) as error:
            raise Refused(error.message) from error
        except TelegramError as error:
            raise WriteFailed(PAUSE_SECONDS) from error
