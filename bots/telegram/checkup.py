"""Check Telegram's settings for the doctor."""

from contextlib import suppress

from telegram.error import InvalidToken, TelegramError

from bots.conversing.check_result import CheckResult, Level
from bots.telegram.config import TelegramConfig
from bots.telegram.outage import BAD_TOKEN
from bots.telegram.service import make_bot
from core.errors import OperatorError


async def examine(config: TelegramConfig) -> list[CheckResult]:
    """Return what the doctor finds. Raises `OperatorError` for a bad token."""
    bot = make_bot(config)
    try:
        await bot.initialize()
        webhook = (await bot.get_webhook_info()).url
    except InvalidToken:
        raise OperatorError(BAD_TOKEN) from None  # PTB's error carries the token
    except TelegramError as error:
        return [
            CheckResult("telegram", Level.NOTE, f"not reached ({type(error).__name__}), so the token is not checked")
        ]
    finally:
        with suppress(TelegramError):
            await bot.shutdown()
    findings = [CheckResult("telegram", Level.OK, f"the token is @{bot.bot.username}'s")]
    if not bot.bot.can_read_all_group_messages:
        text = "privacy mode is on: in groups the bot sees commands, mentions and replies to it only, as it should"
        findings.append(CheckResult("telegram", Level.OK, text))
    if not bot.bot.can_join_groups:
        text = "the bot may not join groups: @BotFather, /setjoingroups, Enable"
        findings.append(CheckResult("telegram", Level.NOTE, text))
    if config.mode == "polling" and webhook:
        text = "a webhook is set for this token; polling takes its place when the bot starts"
        findings.append(CheckResult("telegram", Level.NOTE, text))
    return findings
