"""An adapter that fails a few times and then finds that its operator has to mend something."""

from pydantic import BaseModel

from bots.house import House
from core.errors import Busy, OperatorError


class Config(BaseModel):
    failures: int = 3


async def run(config: Config, house: House) -> None:
    house.adapters["starts"] = house.adapters.get("starts", "") + "x"
    starts = len(house.adapters["starts"])
    if starts > config.failures:
        raise OperatorError("Mend the token in [bots.clumsy].")
    raise RuntimeError("a bug") if starts % 2 else Busy("The disk is full.")
