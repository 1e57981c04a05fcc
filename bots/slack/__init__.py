"""Slack: mentions in channels and threads, direct messages, over Socket Mode or HTTP."""

from typing import TYPE_CHECKING

from bots.finding import Finding
from bots.slack.config import Config
from core.assistant import Assistant
from core.images import Config as ImagesConfig

if TYPE_CHECKING:
    from starlette.routing import Router

    from bots.slack.bot import Shelf

__all__ = ["Config", "examine", "run"]


async def run(
    config: Config, assistant: Assistant, store: "Shelf", images: ImagesConfig, router: "Router | None" = None
) -> None:
    """Work until cancelled. With `signing_secret`, Slack's route is put into `router`, mounted at /slack by the web.

    Raises `OperatorError` for a token, a scope or a setting that has to be mended.
    """
    from bots.slack.service import serve  # Bolt takes a while to import, which `--help` must not pay

    await serve(config, assistant, store, images, router)


async def examine(config: Config) -> list[Finding]:
    """What the doctor finds. Raises `OperatorError` for a bad token or a missing scope."""
    from bots.slack.checkup import examine

    return await examine(config)
