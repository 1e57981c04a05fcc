"""Run the bot from its first call to Telegram until it is cancelled."""

import asyncio
import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from telegram import Bot, BotCommand, BotCommandScopeChat
from telegram.error import BadRequest, Forbidden, TelegramError

from bots.conversing.commands import allowed
from bots.conversing.proxy import Proxies
from bots.conversing.services import Services
from bots.telegram.config import TelegramConfig
from bots.telegram.connector import connections
from bots.telegram.outage import Outage
from bots.telegram.platform import TELEGRAM
from bots.telegram.polling import poll_in_turn, retry_until_done
from bots.telegram.rate_limit import RateLimit
from bots.telegram.receiver import Receiver
from bots.telegram.webhook import listen
from bots.telegram.worker import Worker
from core.errors import OperatorError
from core.i18n import LANGUAGES, Translator

log = logging.getLogger(__name__)
CONNECTIONS = 64


async def serve(config: TelegramConfig, services: Services, rate_limit: RateLimit | None = None) -> None:
    """Work until cancelled. Raises `OperatorError`."""
    if config.needs_web and services.extra_routes is None:
        raise OperatorError("[bots.telegram] {reason}: add a table [bots.web].", reason=config.needs_web)
    logging.getLogger("telegram").setLevel(logging.CRITICAL)  # PTB logs people's words, and whole replies
    os.environ.setdefault("PTB_TIMEDELTA", "true")  # stops PTB 22 from warning about its next version's type
    bot = make_bot(config)
    try:
        outage = Outage(services.health)
        await retry_until_done(bot.initialize, outage)
        log.info("connected as @%s", bot.bot.username)
        if not bot.bot.can_read_all_group_messages:
            log.info("privacy mode is on: in groups the bot sees commands, mentions and replies only")
        services.health.admin_notifiers["telegram"] = partial(_tell, bot, config.admins)
        settled = asyncio.Event()
        worker = Worker(config, bot, bot.bot, services, rate_limit, settled)
        receiver = Receiver(config, worker, bot, bot.bot, services)
        await _work(config, bot, worker, receiver, settled, outage, services)
    finally:
        services.health.admin_notifiers.pop("telegram", None)
        await bot.shutdown()


async def _tell(bot: Bot, admins: Sequence[int], text: str) -> None:
    """Send a text to each admin in their private chat with the bot, if they have begun one."""
    for admin in admins:
        with suppress(Forbidden, BadRequest):
            await bot.send_message(admin, text)


async def _work(
    config: TelegramConfig,
    bot: Bot,
    worker: Worker,
    receiver: Receiver,
    settled: asyncio.Event,
    outage: Outage,
    services: Services,
) -> None:
    introducing = asyncio.create_task(_introduce(bot, config.admins))
    try:
        # Resume before the first poll: stored messages need not wait for Telegram. A torn album waits for `settled`.
        if waiting := await worker.dispatcher.inbox.resume():
            log.info("%d messages are left to answer", waiting)
        if services.extra_routes is not None and config.mode == "webhook":
            settled.set()  # Telegram posts what it has at once
            await listen(bot, config, services.extra_routes, receiver.receive, outage)
        else:
            await poll_in_turn(services.leases, bot, config, receiver.receive, settled, outage)
    finally:
        introducing.cancel()
        await asyncio.gather(introducing, return_exceptions=True)
        await worker.close()


def make_bot(config: TelegramConfig) -> Bot:
    """Return PTB's bot. Raises `OperatorError` for a proxy of the environment that cannot be used."""
    api_url = config.api_url.rstrip("/")
    file_url = config.file_url.rstrip("/") or f"{api_url}/file"
    proxies, urls = Proxies(config.proxy), (api_url, file_url)
    asking, polling = connections((CONNECTIONS, 1), config.timeout_seconds, proxies, urls)
    return Bot(
        config.token.get_secret_value(),
        base_url=f"{api_url}/bot",
        base_file_url=f"{file_url}/bot",
        request=asking,
        get_updates_request=polling,
    )


async def _introduce(bot: Bot, admins: Sequence[int]) -> None:
    """Set the menu of commands, in English by default and in each user's language; admins see theirs in private chats.

    A failure does not matter.
    """
    for language in (None, *LANGUAGES[1:]):
        translator = Translator(language)
        everybodys, admins_own = (
            [
                BotCommand(command.name, command.described(TELEGRAM, translator))
                for command in allowed(TELEGRAM, admin=admin)
            ]
            for admin in (False, True)
        )
        with suppress(TelegramError):
            await bot.set_my_commands(everybodys, language_code=language)
        for admin in admins:
            with suppress(TelegramError):
                await bot.set_my_commands(admins_own, BotCommandScopeChat(admin), language)
