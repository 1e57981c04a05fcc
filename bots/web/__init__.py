"""Serve the web page and the REST API: FastAPI, uvicorn, and a page of plain HTML, CSS and ES modules."""

from collections.abc import Callable

from bots.conversing.check_result import CheckResult
from bots.conversing.services import Services
from bots.web.config import WebConfig as Config

__all__ = ["PACKAGES", "Config", "examine", "run"]
PACKAGES = ()  # that not every installation has


async def run(config: Config, services: Services, ready: Callable[[str], None] | None = None) -> None:
    """Serve until cancelled. `ready` gets the page's address. Raises `OperatorError` if the port cannot be used.

    It carries the web server's webhooks: routes of other adapters that need an open port (/slack/events). Each checks
    its callers itself.
    """
    from bots.web.server import serve  # importing FastAPI takes half a second, which `--help` must not

    await serve(config, services, ready)


async def examine(config: Config) -> list[CheckResult]:
    """Return what the doctor finds. Raises `OperatorError` if the port cannot be used."""
    from bots.web.checkup import examine

    return await examine(config)
