"""Check for the doctor whether the proxies that lead to the platforms and to the hub can be used."""

import asyncio
import os

import httpx
from pydantic import SecretStr

from bots.config import Settings
from bots.conversing.check_result import CheckResult, Level
from bots.conversing.proxy import Proxies, without_password
from bots.conversing.proxy_transport import through
from core.errors import OperatorError

ANSWER_SECONDS = 8.0  # for a proxy and what lies behind it
HUB = "https://huggingface.co"
VARIABLES = "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY in the environment"


async def proxies(settings: Settings) -> list[CheckResult]:
    """Return a result for each proxy that something goes through, and for a variable that names none."""
    asked: list[tuple[str, str, SecretStr | None]] = [
        (table, config.api_url, config.proxy)
        for table, config in settings.platforms.items()
        if hasattr(config, "proxy")
    ]
    asked.append(("model fetch", os.environ.get("HF_ENDPOINT") or HUB, None))
    found = []
    for user, url, setting in asked:
        try:
            proxy = Proxies(setting).proxy_for(url)
        except OperatorError as error:
            found.append(CheckResult("proxy", Level.WRONG, str(error)))
            continue
        if proxy is not None:
            found.append(await _ask(user, url, proxy, f"proxy in [{user}]" if setting else VARIABLES))
    return list(dict.fromkeys(found))


async def _ask(user: str, url: str, proxy: str, source: str) -> CheckResult:
    shown = f"{without_password(proxy)} for {user}"
    try:
        async with asyncio.timeout(ANSWER_SECONDS), httpx.AsyncClient(transport=through(proxy, 1)) as client:
            status = (await client.head(url, timeout=ANSWER_SECONDS)).status_code
    except TimeoutError:
        reason = "it does not answer"
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
    else:
        if status != httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
            return CheckResult("proxy", Level.OK, f"{shown}: {httpx.URL(url).host} answers through it")
        reason = "it asks for a name and a password, or for other ones: write http://name:password@host:port"
    return CheckResult("proxy", Level.WRONG, f"{shown} does not work ({reason.rstrip('.')}): check {source}")
