"""The web page and the REST API: FastAPI, uvicorn, and a page of plain HTML, CSS and ES modules."""

from collections.abc import Callable

from bots.conversing.check_result import CheckResult
from bots.conversing.services import Services
from bots.web.config import Config

__all__ = ["PACKAGES", "Config", "examine", "run"]
PACKAGES = ()  # more than everybody has


async def run(config: Config, services: Services, ready: Callable[[str], None] | None = None) -> None:
    """Serve until cancelled; `ready` is told the page's address. Raises `OperatorError` when the port cannot be had.

    It carries the web server's webhooks, routes of other adapters that need an open port (/slack/events); each checks
    its callers itself.
    """
    from bots.web.server import serve  # FastAPI takes half a second to import, which `--help` must not pay

    await serve(config, services, ready)


async def examine(config: Config) -> list[CheckResult]:
    """What the doctor finds. Raises `OperatorError` when the port cannot be had."""
    from bots.web.checkup import examine

    return await examine(config)
