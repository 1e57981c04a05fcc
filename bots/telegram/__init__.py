"""Telegram: pictures and questions in private chats, groups and topics, through python-telegram-bot."""

from bots.conversing.check_result import Finding
from bots.conversing.services import House
from bots.telegram.config import Config

__all__ = ["Config", "examine", "run"]


async def run(config: Config, house: House) -> None:
    """Work until cancelled. Raises `OperatorError` when the token or the settings cannot work."""
    from bots.telegram.service import serve  # python-telegram-bot takes half a second to import

    await serve(config, house)


async def examine(config: Config) -> list[Finding]:
    """What the doctor finds. Raises `OperatorError` for a bad token."""
    from bots.telegram.checkup import examine

    return await examine(config)
