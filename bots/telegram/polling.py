"""Poll Telegram for updates. An update is on disk before Telegram is told that it arrived.

PTB's own Updater confirms updates before their handlers have finished. It parses all updates of a response together, so
that a broken one takes the others with it, and it stops for good after one 401. Hence this loop.
"""

import asyncio
from collections.abc import Awaitable, Callable

from telegram import Bot
from telegram.error import InvalidToken, TelegramError

from bots.telegram.config import TelegramConfig
from bots.telegram.outage import BAD_TOKEN, Outage
from bots.telegram.transport import convert_errors
from core import lease
from core.errors import BotError, OperatorError, StoreDown
from core.lease import LeaseLost
from core.leases import Leases

Receive = Callable[[object], Awaitable[None]]  # raises `BotError` when the update could not be written down
UPDATES_AT_ONCE = 100  # most updates in one response
LONG_POLL_SECONDS = 25  # how long Telegram may hold a request while there are no updates
TURN_SECONDS = 1.0  # between two attempts to poll in place of another replica
UNCONFIRMED_PAUSE_SECONDS = 1.0  # after updates that can never be confirmed
LARGEST_ID = 2**31  # of a Bot API "Integer"; a larger offset would skip all later updates


async def poll_in_turn(
    leases: Leases, bot: Bot, config: TelegramConfig, receive: Receive, settled: asyncio.Event, outage: Outage
) -> None:
    """Poll until cancelled, whenever no other replica does: Telegram has updates for one at a time.

    `settled` is as in `poll`, and set while another replica polls, which stores each album whole.
    """
    while True:
        try:
            async with leases.hold(f"telegram:{bot.bot.id}"):
                await poll(bot, config, receive, settled, outage)
        except LeaseLost:
            settled.set()
            outage.succeeded()  # as far as this replica is concerned
            await asyncio.sleep(TURN_SECONDS)
        except StoreDown as error:
            await outage.wait(error)


async def poll(bot: Bot, config: TelegramConfig, receive: Receive, settled: asyncio.Event, outage: Outage) -> None:
    """Work until cancelled. Raises `LeaseLost` before it receives anything in place of another replica.

    `settled` is set while Telegram has no more updates that may belong to an album, so that no album is torn by a crash
    or by a lost connection.
    """
    settled.clear()
    await retry_until_done(lambda: bot.delete_webhook(), outage)
    offset: int | None = None
    held = 0  # the first response must come at once
    wanted = kinds(config)
    while True:
        try:
            updates = await _updates(bot, wanted, offset, held, config.timeout_seconds)
            if more := _has_more(updates):
                settled.clear()
            before = offset
            for update in updates:
                lease.check()
                await receive(update)
                offset = max(offset or 0, (id_of(update) or 0) + 1)
            outage.succeeded()
        except LeaseLost:
            raise
        except (TelegramError, BotError) as error:
            await outage.wait(error)
            continue
        held = 1 if more else LONG_POLL_SECONDS
        if not more:
            settled.set()
        if updates and offset == before:
            await asyncio.sleep(UNCONFIRMED_PAUSE_SECONDS)


def kinds(config: TelegramConfig) -> list[str]:
    """Return the kinds of updates that Telegram is asked for."""
    messages = ["message", "edited_message"]
    posts = ["channel_post", "edited_channel_post"] if config.channels else []
    return [*messages, *posts, "callback_query", "message_reaction"]


def id_of(update: object) -> int | None:
    """Return the number of an update, or None if it has no valid one."""
    found = update.get("update_id") if isinstance(update, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 < found < LARGEST_ID else None


async def retry_until_done(call: Callable[[], Awaitable[object]], outage: Outage) -> None:
    """Repeat a call until Telegram has done it. Raises `OperatorError` for a bad token that never worked."""
    while True:
        try:
            await convert_errors(call())
        except TelegramError as error:
            if isinstance(error, InvalidToken) and not outage.worked_before:
                raise OperatorError(BAD_TOKEN) from None  # PTB's error carries the token
            await outage.wait(error)
        else:
            outage.succeeded()
            return


async def _updates(bot: Bot, wanted: list[str], offset: int | None, held: int, timeout: float) -> list[object]:
    """Return Telegram's next updates unparsed. PTB's `get_updates` would parse them all together."""
    parameters = {"offset": offset, "timeout": held, "allowed_updates": wanted}
    updates = await convert_errors(bot._post("getUpdates", parameters, read_timeout=held + timeout))
    if not isinstance(updates, list):
        raise TelegramError("Invalid server response")
    return updates


def _has_more(updates: list[object]) -> bool:
    """Return whether the rest of an album may be in the next response."""
    return len(updates) >= UPDATES_AT_ONCE or any(map(_is_in_album, updates))


def _is_in_album(update: object) -> bool:
    message = update.get("message") if isinstance(update, dict) else None
    return isinstance(message, dict) and bool(message.get("media_group_id"))
