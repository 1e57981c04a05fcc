"""Make PTB's requests to Telegram safe against incomplete replies from Telegram or a proxy."""

import json
import re
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, TypeVar

from telegram.error import RetryAfter, TelegramError
from telegram.request import HTTPXRequest

Result = TypeVar("Result")
LONGEST_WAIT_SECONDS = 3600.0  # even if Telegram asks for more: once an hour is not too often
_UPDATE = re.compile(r'\{\s*"update_id"\s*:\s*(\d{1,18})')  # quotes in people's words would be escaped
_DECODER = json.JSONDecoder()


class SafeRequest(HTTPXRequest):
    """PTB's request class, except that it does not log replies that are no JSON, since they carry people's words."""

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """Parse a reply. If it is no valid JSON as a whole, read its updates one by one."""
        text = payload.decode("utf-8", "replace")
        try:
            reply = json.loads(text)
        except (ValueError, RecursionError):
            reply = {"ok": True, "result": updates} if (updates := _one_by_one(text)) else None
        if not isinstance(reply, dict) or not {"result", "description"} & reply.keys():
            raise TelegramError("Invalid server response")
        return reply


async def convert_errors(call: Awaitable[Result]) -> Result:
    """Return what Telegram replied. Raises `TelegramError` also if PTB fails to read the reply."""
    try:
        return await call
    except TelegramError:
        raise
    except Exception as error:  # its parsers may raise KeyError, TypeError, AttributeError or OverflowError
        raise TelegramError("Invalid server response") from error


async def ignoring_errors(call: Awaitable[object]) -> None:
    """Make a call whose failure does not matter."""
    with suppress(TelegramError):
        await convert_errors(call)


def wait_of(error: RetryAfter) -> float:
    """Return the seconds that Telegram asks to wait."""
    wait = error.retry_after
    return min(LONGEST_WAIT_SECONDS, float(wait) if isinstance(wait, int) else wait.total_seconds())


def _one_by_one(text: str) -> list[dict[str, Any]]:
    """Return the updates of a reply. Of one that cannot be parsed only its id, so that it can be confirmed."""
    starts = list(_UPDATE.finditer(text))
    updates = []
    for number, start in enumerate(starts):
        end = starts[number + 1].start() if number + 1 < len(starts) else len(text)
        try:
            update = _DECODER.raw_decode(text[start.start() : end])[0]
        except (ValueError, RecursionError):
            update = {"update_id": int(start[1])}
        updates.append(update)
    return updates
