"""Telegram: pictures and questions in private chats, groups and topics, through python-telegram-bot."""

from typing import TYPE_CHECKING

from bots.finding import Finding
from bots.telegram.config import Config
from core.assistant import Assistant
from core.images import Config as ImagesConfig

if TYPE_CHECKING:
    from bots.telegram.desk import Store

__all__ = ["Config", "examine", "run"]


async def run(config: Config, assistant: Assistant, store: "Store", images: ImagesConfig) -> None:
    """Work until cancelled. Raises `OperatorError` when the token or the settings cannot work."""
    from bots.telegram.service import serve  # python-telegram-bot takes half a second to import

    await serve(config, assistant, store, images)


async def examine(config: Config) -> list[Finding]:
    """What the doctor finds. Raises `OperatorError` for a bad token."""
    from bots.telegram.checkup import examine

    return await examine(config)
