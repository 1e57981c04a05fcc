"""Provide an adapter that fails a few times and then needs its operator's help."""

from pydantic import BaseModel

from bots.conversing.services import Services
from core.errors import Busy, OperatorError


class Config(BaseModel):
    failures: int = 3
    starts: int = 0


async def run(config: Config, services: Services) -> None:
    config.starts += 1
    if config.starts > config.failures:
        raise OperatorError("Mend the token in [bots.clumsy].")
    raise RuntimeError("a bug") if config.starts % 2 else Busy("The disk is full.")
