"""Asks Telegram for updates, again and again. An update is on disk before Telegram is told that it arrived.

PTB's own Updater confirms updates before their handlers have finished, and goes deaf after one 401: hence this loop.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from telegram import Bot, Update
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError

from bots.telegram.draft import wait_of
from core.errors import BotError, OperatorError

log = logging.getLogger(__name__)
Receive = Callable[[Update], Awaitable[None]]
WANTED = ["message", "callback_query", "message_reaction"]
MOST = 100  # updates in one answer
HELD_S = 25  # how long Telegram may hold a question for updates that has no answer yet
CONFLICT_S = 10.0
BAD_TOKEN = (
    "Telegram does not accept the token. Copy it again from @BotFather (/mybots, API Token) into token in "
    "[bots.telegram]."
)


async def poll(
    bot: Bot, timeout: float, receive: Receive, ready: Callable[[], Awaitable[None]], settled: asyncio.Event
) -> None:
    """Works until cancelled. Raises `OperatorError` when the token is not good (any more).

    `ready` is awaited once, between Telegram's first answer and taking its updates; `settled` is set while Telegram has
    nothing more that might belong to an album. So no album is torn by a crash, or by a connection lost in its middle.
    """
    await insist(lambda: bot.delete_webhook())
    offset: int | None = None
    failures = 0
    held = 0  # at first Telegram is to answer at once
    resumed = False
    while True:
        try:
            updates = await bot.get_updates(offset, timeout=held, allowed_updates=WANTED, read_timeout=held + timeout)
            if not resumed:
                await ready()
                resumed = True
            if more := _has_more(updates):
                settled.clear()
            for update in updates:
                await take(update, receive)
                offset = update.update_id + 1
            failures = 0
            held = 1 if more else HELD_S
            if not more:
                settled.set()
        except (TelegramError, BotError) as error:
            failures += 1
            await asyncio.sleep(pause_after(error, failures))


def _has_more(updates: Sequence[Update]) -> bool:
    """Whether the rest of an album may be in the next answer."""
    in_album = any(update.message and update.message.media_group_id for update in updates)
    return in_album or len(updates) >= MOST


async def insist(call: Callable[[], Awaitable[object]]) -> None:
    """Until Telegram has done it. Raises `OperatorError` when the token is not good."""
    failures = 0
    while True:
        try:
            await call()
            return
        except TelegramError as error:
            failures += 1
            await asyncio.sleep(pause_after(error, failures))


async def take(update: Update, receive: Receive) -> None:
    """Raises `BotError` when the update could not be written down, so that it must come again."""
    try:
        await receive(update)
    except BotError:
        raise
    except Exception:  # a bug; the same update would meet it for ever
        log.exception("update %s is left out", update.update_id)


def pause_after(error: Exception, failures: int) -> float:
    """Seconds to wait; says what the operator should know. Raises `OperatorError` for a bad token."""
    if isinstance(error, InvalidToken):
        raise OperatorError(BAD_TOKEN) from None  # PTB's error carries the token
    if isinstance(error, RetryAfter):
        return wait_of(error)
    if isinstance(error, Conflict):
        log.error("another program asks Telegram for this bot's updates: stop it, or give each its own token")
        return CONFLICT_S
    if isinstance(error, BotError):
        log.error("messages cannot be written down, Telegram keeps them until they can: %s", error)
    elif failures % 10 == 3:
        log.warning("Telegram cannot be reached, trying on: %s", type(error).__name__)
    return min(30.0, 0.25 * float(2 ** min(failures, 10)))
