"""Read a JSON body: bounded before it is parsed, and parsed off the event loop."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import AfterValidator, BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.requests import Request

from bots.web.openai.errors import BadField

SPOOLED_BYTES = 1_000_000  # of a body; a longer one waits on disk
MOST_VALUES = 50_000  # in a body; each costs memory and time of all
BETWEEN_VALUES = (b",", b"[", b"{")
Model = TypeVar("Model", bound=BaseModel)
Result = TypeVar("Result")


def _text(value: str) -> str:
    """Refuse what JSON can carry and no tokenizer accepts."""
    if "\0" in value or (not value.isascii() and any(0xD800 <= ord(character) <= 0xDFFF for character in value)):
        raise ValueError("it has characters that are not text")
    return value


Text = Annotated[str, AfterValidator(_text)]


@asynccontextmanager
async def received(request: Request) -> AsyncIterator[UploadFile]:
    """Receive the whole body. A slow sender holds nothing but a file."""
    with tempfile.SpooledTemporaryFile(SPOOLED_BYTES) as file:
        body = UploadFile(file, size=0)  # type: ignore[arg-type]
        async for piece in request.stream():
            await body.write(piece)
        await body.seek(0)
        yield body


async def parse(body: UploadFile, check: Callable[[Any], Result]) -> Result:
    """Return what `check` makes of the body's object, in a thread. Raises `BadField`."""
    data = await body.read()
    return await asyncio.to_thread(lambda: check(_object(data)))


def fields_of(body: Any, model: type[Model]) -> Model:
    """Return the checked fields of an object. Raises `BadField` that names the first wrong one."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False, include_context=False)[0]
        param = ".".join(str(part) for part in wrong["loc"]) or "body"
        reason = wrong["msg"].removeprefix("Value error, ")
        raise BadField(
            "Please check {name}: {reason}. /docs says what is expected.", param, name=param, reason=reason
        ) from None


def _object(data: bytes) -> dict[str, Any]:
    if sum(map(data.count, BETWEEN_VALUES)) > MOST_VALUES:
        raise BadField("The request has too many values.", "body")
    try:
        body = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError):  # also integers with thousands of digits, and text that is no UTF-8
        body = None
    if not isinstance(body, dict):
        raise BadField("The body must be a JSON object. /docs says what is expected.", "body")
    return body


def _refuse(constant: str) -> NoReturn:
    """JSON has neither NaN nor Infinity."""
    raise ValueError(constant)
