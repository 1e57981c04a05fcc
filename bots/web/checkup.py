"""Check the web page for the doctor."""

from bots.conversing.check_result import CheckResult, Level
from bots.web.config import WebConfig
from bots.web.listen import listen
from core.errors import OperatorError


async def examine(config: WebConfig) -> list[CheckResult]:
    """Return what the doctor finds. Raises `OperatorError` if the port cannot be used."""
    try:
        listen(config).close()
    except OperatorError as error:
        raise OperatorError("{reason} Is the service running already?", reason=str(error)) from error
    if config.open_to:
        return [CheckResult("web", Level.NOTE if config.loopback else Level.WRONG, config.open_to)]
    return [CheckResult("web", Level.OK, f"http://{config.host}:{config.port} is free")]
