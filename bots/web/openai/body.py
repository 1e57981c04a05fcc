"""Read the body of a request: bounded before it is parsed, and parsed beside the event loop."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn

from starlette.datastructures import UploadFile
from starlette.requests import Request

from bots.web.openai.errors import BadField
from bots.web.openai.fields import ChatRequest, check

SPOOLED_BYTES = 1_000_000  # of a body; a longer one waits on disk
MOST_VALUES = 50_000  # in a body; each costs memory and time of all
BETWEEN_VALUES = (b",", b"[", b"{")


@asynccontextmanager
async def received(request: Request) -> AsyncIterator[UploadFile]:
    """Receive the whole body. A slow sender holds nothing but a file."""
    with tempfile.SpooledTemporaryFile(SPOOLED_BYTES) as file:
        body = UploadFile(file, size=0)  # type: ignore[arg-type]
        async for piece in request.stream():
            await body.write(piece)
        await body.seek(0)
        yield body


async def parse(body: UploadFile) -> ChatRequest:
    """Return the checked request. Raises `BadField`."""
    data = await body.read()
    return await asyncio.to_thread(_parse, data)


def _parse(data: bytes) -> ChatRequest:
    if sum(map(data.count, BETWEEN_VALUES)) > MOST_VALUES:
        raise BadField("The request has too many values.", "body")
    try:
        body = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError):  # also integers with thousands of digits, and text that is no UTF-8
        body = None
    if not isinstance(body, dict):
        raise BadField("The body must be a JSON object, as OpenAI's chat API has it.", "body")
    return check(body)


def _refuse(constant: str) -> NoReturn:
    """JSON has neither NaN nor Infinity."""
    raise ValueError(constant)
