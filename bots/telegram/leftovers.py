"""Find messages of the bot that it does not know: posted, but the reply was lost or the process was killed.

A bot cannot list messages, but their ids grow: lost ones are between the question and the message that replaced them.
An edit that changes only the buttons tells whose a message is, because a bot can edit only its own.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from telegram import Bot
from telegram.error import BadRequest, TelegramError

from bots.conversing.delivery_errors import Refused, RetryLater
from bots.conversing.store import Store
from bots.telegram.place import Place, ids_of
from bots.telegram.rate_limit import Rank, RateLimit
from bots.telegram.sender import Sender
from core.errors import StoreDown

log = logging.getLogger(__name__)
SEARCHED_MESSAGES = 8  # after the question
ATTEMPTS_PER_MESSAGE = 20  # while the chat has more important writes, or the database does not work
STORED_SECONDS = 2.0  # until another answer's posted message is on disk


async def sweep(bot: Bot, rate_limit: RateLimit, store: Store, place: Place, posted_id: str) -> None:
    """Delete unknown messages that were posted for an answer before `posted_id`. A failure does not matter."""
    chat_id, last = ids_of(posted_id)
    sender = Sender(rate_limit, place)
    try:
        for message_id in range(place.question + 1, min(last, place.question + 1 + SEARCHED_MESSAGES)):
            if await _is_known(store, f"{chat_id}:{message_id}"):
                continue
            if not await _claim_message(bot, sender, chat_id, message_id):
                continue
            await asyncio.sleep(STORED_SECONDS)
            if not await _is_known(store, f"{chat_id}:{message_id}"):
                log.info("deleted a message whose posting was never confirmed")
                with suppress(BadRequest):  # the search for another answer's has deleted it
                    await _patiently(sender, lambda at=message_id: bot.delete_message(chat_id, at))  # type: ignore[misc]
    except (RetryLater, Refused, TelegramError) as error:
        log.info("a chat could not be searched for lost messages: %s", type(error).__name__)
    finally:
        sender.close()


async def _is_known(store: Store, posted_id: str) -> bool:
    """Return whether a message carries an answer, as soon as the database works. After long it is left alone."""
    for _ in range(ATTEMPTS_PER_MESSAGE):
        try:
            return await store.is_posted("telegram", posted_id)
        except StoreDown:
            await asyncio.sleep(STORED_SECONDS)
    return True


async def _claim_message(bot: Bot, sender: Sender, chat_id: int, message_id: int) -> bool:
    """Return whether the bot wrote a message, and remove its buttons if it did."""
    try:
        await _patiently(sender, lambda: bot.edit_message_reply_markup(chat_id, message_id))
    except BadRequest as error:
        return "not modified" in error.message.lower()
    return True


async def _patiently(sender: Sender, call: Callable[[], Awaitable[object]]) -> None:
    """Write when no other write in the chat is waiting."""
    for attempt in range(ATTEMPTS_PER_MESSAGE):
        try:
            await sender.write(call, Rank.GROWING)
            return
        except RetryLater as later:
            if attempt == ATTEMPTS_PER_MESSAGE - 1:
                raise
            await asyncio.sleep(later.seconds)
