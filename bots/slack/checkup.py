"""Check Slack's settings for the doctor."""

from functools import partial

from bots.conversing.check_result import CheckResult, Level
from bots.conversing.delivery_errors import RetryLater
from bots.conversing.health import Health
from bots.conversing.proxy import Proxies
from bots.slack.access import WISHES
from bots.slack.api import SlackApi, patiently
from bots.slack.config import SlackConfig
from bots.slack.socket import open_address
from core.errors import BotError, OperatorError


async def examine(config: SlackConfig) -> list[CheckResult]:
    """Return what the doctor finds. Raises `OperatorError` for a bad token or a missing scope."""
    proxies, token = Proxies(config.proxy), config.bot_token.get_secret_value()
    async with SlackApi(token, config.api_url, config.pace_seconds, Health(), proxies) as slack:
        try:
            await slack.introduce()
        except OperatorError:
            raise
        except (BotError, RetryLater):
            return [CheckResult("slack", Level.NOTE, "not reached, so the tokens are not checked")]
        findings = [CheckResult("slack", Level.OK, f"bot_token is the bot {slack.bot}'s in the workspace {slack.team}")]
        findings += [
            CheckResult("slack", Level.NOTE, f"the scope {scope} is missing: {WISHES[scope]}")
            for scope in slack.missing
        ]
        if config.app_token:
            open_once = partial(open_address, slack, config.app_token.get_secret_value())
            await patiently(open_once)
            findings.append(CheckResult("slack", Level.OK, "app_token opens a connection, so Socket Mode is on"))
    return findings
