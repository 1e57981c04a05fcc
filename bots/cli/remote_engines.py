"""Check the engines elsewhere for the doctor."""

import importlib.util
from collections.abc import Iterable

from bots.config import Settings, how_to_install
from bots.conversing.check_result import CheckResult, Level
from bots.service import ENGINE_PACKAGES, NO_ENGINE

UNSENT = ("top_k", "repetition_penalty")  # of [core.assistant]: OpenAI's API has no such fields


async def engines(settings: Settings) -> Iterable[CheckResult]:
    """Ask each engine what it is, and let it read a number."""
    if not all(importlib.util.find_spec(package) for package in ENGINE_PACKAGES["remote"]):
        return [CheckResult("engine", Level.WRONG, NO_ENGINE.format(how=how_to_install("remote")))]
    from core.remote.checkup import examine

    found = []
    for url in settings.engine.urls:
        async for is_right, sentence in examine(url, settings.engine):
            found.append(
                CheckResult("engine", Level.OK if is_right else Level.WRONG, f"{url} {_said(is_right, sentence)}")
            )
    unsent = [name for name in UNSENT if getattr(settings.assistant, name) is not None]
    if unsent:
        names = " and ".join(unsent)
        text = f"{names} in [core.assistant] is not sent: OpenAI's API does not have it, so set it at the engines"
        found.append(CheckResult("engine", Level.NOTE, text))
    return found


def _said(is_right: bool, sentence: str) -> str:
    return sentence if is_right else f"cannot be used: {sentence}"
