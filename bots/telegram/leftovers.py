"""Messages of the bot that it does not know of: the reply to their posting was lost, or the process was killed then.

Telegram lets a bot list no messages, but ids grow: what was lost stands between the question and the message that took
its place. An edit that changes nothing but the buttons tells whose it is, as a bot can edit only its own.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from telegram import Bot
from telegram.error import BadRequest, TelegramError

from bots.conversing.draft import Later, Refused
from bots.conversing.store import Store
from bots.telegram.place import Place, ids_of
from bots.telegram.rate_limit import Rank, RateLimit
from bots.telegram.sender import Sender

log = logging.getLogger(__name__)
MOST_LOOKED_AT = 8  # messages behind the question
MOST_ATTEMPTS = 20  # at one of them, while the chat has more important writes
WRITTEN_DOWN_SECONDS = 2.0  # in which another answer's message is on disk once it was posted


async def sweep(bot: Bot, rate_limit: RateLimit, store: Store, place: Place, sent: str) -> None:
    """Take away what was posted for an answer before `sent` and is not known. A courtesy: failing is fine."""
    chat_id, last = ids_of(sent)
    sender = Sender(rate_limit, place, first=False)
    try:
        for message_id in range(place.question + 1, min(last, place.question + 1 + MOST_LOOKED_AT)):
            if await store.is_sent("telegram", f"{chat_id}:{message_id}"):
                continue
            if not await _is_ours(bot, sender, chat_id, message_id):
                continue
            await asyncio.sleep(WRITTEN_DOWN_SECONDS)
            if not await store.is_sent("telegram", f"{chat_id}:{message_id}"):
                log.info("a message whose posting was never confirmed is taken away")
                await _patiently(sender, lambda at=message_id: bot.delete_message(chat_id, at))  # type: ignore[misc]
    except (Later, Refused, TelegramError) as error:
        log.info("a chat could not be looked through for lost messages: %s", type(error).__name__)
    finally:
        sender.close()


async def _is_ours(bot: Bot, sender: Sender, chat_id: int, message_id: int) -> bool:
    """Whether the bot wrote a message; without its buttons afterwards, if it did."""
    try:
        await _patiently(sender, lambda: bot.edit_message_reply_markup(chat_id, message_id))
    except BadRequest as error:
        return "not modified" in error.message.lower()
    return True


async def _patiently(sender: Sender, call: Callable[[], Awaitable[object]]) -> None:
    """Write when nothing else has to be written in the chat."""
    for attempt in range(MOST_ATTEMPTS):
        try:
            await sender.write(call, Rank.GROWING)
            return
        except Later as later:
            if attempt == MOST_ATTEMPTS - 1:
                raise
            await asyncio.sleep(later.seconds)
