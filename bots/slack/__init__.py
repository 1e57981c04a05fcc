"""Answer in Slack: mentions in channels and threads, and direct messages, over Socket Mode or HTTP."""

from bots.conversing.check_result import CheckResult
from bots.conversing.services import Services
from bots.slack.config import SlackConfig as Config

__all__ = ["PACKAGES", "Config", "examine", "run"]
PACKAGES = ("aiohttp", "aiohttp_socks", "slack_bolt", "slack_sdk", "yarl")  # what its extra installs


async def run(config: Config, services: Services) -> None:
    """Work until cancelled. With `signing_secret`, Slack's route is one of the web server's webhooks, at /slack.

    Raises `OperatorError` for a token, a scope or a setting that must be repaired.
    """
    from bots.slack.service import serve  # importing Bolt is slow, which `--help` must not be

    await serve(config, services)


async def examine(config: Config) -> list[CheckResult]:
    """Return what the doctor finds. Raises `OperatorError` for a bad token or a missing scope."""
    from bots.slack.checkup import examine

    return await examine(config)
