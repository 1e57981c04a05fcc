"""Asks Telegram for updates, again and again. An update is on disk before Telegram is told that it arrived.

PTB's own Updater confirms updates before their handlers have finished, parses all of one answer at once, so that one
that is broken takes the others with it, and goes deaf after one 401: hence this loop.
"""

import asyncio
from collections.abc import Awaitable, Callable

from telegram import Bot
from telegram.error import InvalidToken, TelegramError

from bots.telegram.outage import BAD_TOKEN, Outage
from bots.telegram.transport import understood
from core.errors import BotError, OperatorError

Receive = Callable[[object], Awaitable[None]]  # raises `BotError` when the update could not be written down
WANTED = ["message", "edited_message", "callback_query", "message_reaction"]
MOST_UPDATES = 100  # in one answer
HELD_SECONDS = 25  # how long Telegram may hold a question for updates that has no answer yet
USELESS_PAUSE_SECONDS = 1.0  # after an answer that can never be confirmed
MOST_ID = 2**31  # what a Bot API "Integer" holds; a larger offset would make us deaf for all that follows


async def poll(bot: Bot, timeout: float, receive: Receive, settled: asyncio.Event, outage: Outage) -> None:
    """Work until cancelled.

    `settled` is set while Telegram has nothing more that might belong to an album: none is torn by a crash, or by a
    connection lost in its middle.
    """
    await insist(lambda: bot.delete_webhook(), outage)
    offset: int | None = None
    held = 0  # at first Telegram is to answer at once
    while True:
        try:
            updates = await _updates(bot, offset, held, timeout)
            if more := _has_more(updates):
                settled.clear()
            before = offset
            for update in updates:
                await receive(update)
                offset = max(offset or 0, (id_of(update) or 0) + 1)
            outage.ends()
        except (TelegramError, BotError) as error:
            await outage.wait(error)
            continue
        held = 1 if more else HELD_SECONDS
        if not more:
            settled.set()
        if updates and offset == before:
            await asyncio.sleep(USELESS_PAUSE_SECONDS)


def id_of(update: object) -> int | None:
    """The number by which Telegram knows an update; None when it has none that can be one."""
    found = update.get("update_id") if isinstance(update, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 < found < MOST_ID else None


async def insist(call: Callable[[], Awaitable[object]], outage: Outage) -> None:
    """Return when Telegram has done it. Raise `OperatorError` when a token that never worked is not good."""
    while True:
        try:
            await understood(call())
        except TelegramError as error:
            if isinstance(error, InvalidToken) and not outage.worked_before:
                raise OperatorError(BAD_TOKEN) from None  # PTB's error carries the token
            await outage.wait(error)
        else:
            outage.ends()
            return


async def _updates(bot: Bot, offset: int | None, held: int, timeout: float) -> list[object]:
    """Telegram's next updates as they are: PTB's `get_updates` would parse them all together."""
    parameters = {"offset": offset, "timeout": held, "allowed_updates": WANTED}
    updates = await understood(bot._post("getUpdates", parameters, read_timeout=held + timeout))
    if not isinstance(updates, list):
        raise TelegramError("Invalid server response")
    return updates


def _has_more(updates: list[object]) -> bool:
    """Whether the rest of an album may be in the next answer."""
    return len(updates) >= MOST_UPDATES or any(map(_is_in_album, updates))


def _is_in_album(update: object) -> bool:
    message = update.get("message") if isinstance(update, dict) else None
    return isinstance(message, dict) and bool(message.get("media_group_id"))
