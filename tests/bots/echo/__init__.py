"""Provide the smallest possible chat platform, for tests only: a client writes a line to a socket and reads the answer.

It shows what a platform's package must provide; see `tests/bots/test_platforms.py`.
"""

from pydantic import BaseModel, Field

from bots.conversing.check_result import CheckResult, Level
from bots.conversing.services import Services
from core.errors import OperatorError

PACKAGES = ("asyncio",)


class Config(BaseModel, extra="forbid", frozen=True):
    socket: str = Field(description="Path of the socket that people connect to.")
    admins: tuple[str, ...] = Field((), description="Names of people who may block others.")


async def run(config: Config, services: Services) -> None:
    """Work until cancelled. Raises `OperatorError` if the socket cannot be made."""
    from tests.bots.echo.chat import serve

    await serve(config.socket, frozenset(config.admins), services)


async def examine(config: Config) -> list[CheckResult]:
    if not config.socket.startswith("/"):
        raise OperatorError("socket in [bots.echo] is no whole path.")
    return [CheckResult("echo", Level.OK, f"people connect to {config.socket}")]
