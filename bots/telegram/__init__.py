"""Answer questions about pictures in Telegram's private chats, groups and topics, through python-telegram-bot."""

from bots.conversing.check_result import CheckResult
from bots.conversing.services import Services
from bots.telegram.config import TelegramConfig as Config

__all__ = ["PACKAGES", "Config", "examine", "run"]
PACKAGES = ("telegram", "regex", "telegramify_markdown")  # what its extra installs


async def run(config: Config, services: Services) -> None:
    """Work until cancelled. Raises `OperatorError` when the token or the settings cannot work."""
    from bots.telegram.service import serve  # python-telegram-bot takes half a second to import

    await serve(config, services)


async def examine(config: Config) -> list[CheckResult]:
    """Return what the doctor finds. Raises `OperatorError` for a bad token."""
    from bots.telegram.checkup import examine

    return await examine(config)
