"""Slack: mentions in channels and threads, direct messages, over Socket Mode or HTTP."""

from bots.conversing.check_result import Finding
from bots.conversing.services import House
from bots.slack.config import Config

__all__ = ["Config", "examine", "run"]


async def run(config: Config, house: House) -> None:
    """Work until cancelled. With `signing_secret`, Slack's route is one of the house's guests, at /slack.

    Raises `OperatorError` for a token, a scope or a setting that has to be mended.
    """
    from bots.slack.service import serve  # Bolt takes a while to import, which `--help` must not pay

    await serve(config, house)


async def examine(config: Config) -> list[Finding]:
    """What the doctor finds. Raises `OperatorError` for a bad token or a missing scope."""
    from bots.slack.checkup import examine

    return await examine(config)
