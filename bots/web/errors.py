"""Answer errors on the web: a status, and JSON with a `detail` in the reader's language."""

import logging
import math

from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from core.errors import (
    BadImage,
    BadQuestion,
    BotError,
    Busy,
    EngineMissing,
    Interrupted,
    NoRoom,
    NotAllowed,
    NotFound,
    OperatorError,
    OutOfMemory,
    TooLarge,
)
from core.i18n import LANGUAGES, Translator

log = logging.getLogger(__name__)


class BodyTooSlow(BotError):
    pass


class Restarting(BotError):
    pass


STATUS: tuple[tuple[type[BotError], int], ...] = (  # the first that fits
    (TooLarge, 413),
    (BadImage, 415),
    (NoRoom, 507),
    (BadQuestion, 400),
    (Interrupted, 503),
    (OutOfMemory, 503),
    (Busy, 429),
    (NotAllowed, 403),
    (NotFound, 404),
    (BodyTooSlow, 408),
    (EngineMissing, 503),
    (Restarting, 503),
    (OperatorError, 503),
)
HTTP_ERRORS = {
    404: BotError("There is nothing at this address."),
    405: BotError("This address cannot be used that way."),
}


def status_of(error: BotError) -> int:
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def voice_of(headers: Headers) -> Translator:
    """Return a translator for the first language of Accept-Language that we speak."""
    display = []
    for index, wish in enumerate(headers.get("accept-language", "").split(",")[:20]):
        code, _, weight = wish.partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            quality = 0.0
        display.append((-quality, index, code.strip().replace("_", "-").split("-")[0].lower()))
    return Translator(next((code for _, _, code in sorted(display) if code in LANGUAGES), "en"))


def voice_for(request: Request) -> Translator:
    """Return a translator for the question's language, if it is clear, or else as `voice_of`."""
    return voice_of(request.headers).for_question(getattr(request.state, "question", ""))


def problem(headers: Headers, status: int, error: BotError, translator: Translator | None = None) -> Response:
    body: dict[str, object] = {"detail": (translator or voice_of(headers)).explain(error)}
    if error.retryable and (status in (408, 429) or status >= 500):
        body["retryable"] = True
    return JSONResponse(body, status)


async def on_bot_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, BotError)
    response = problem(request.headers, status_of(error), error, voice_for(request))
    if isinstance(error, Busy):
        response.headers["Retry-After"] = str(math.ceil(error.retry_after))
    return response


async def on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    reason = HTTP_ERRORS.get(error.status_code, BotError("This request could not be understood."))
    response = problem(request.headers, error.status_code, reason)
    response.headers.update(error.headers or {})
    return response


async def on_invalid(request: Request, error: Exception) -> Response:
    """Answer a parameter that does not match the documentation."""
    assert isinstance(error, RequestValidationError)
    errors = error.errors()
    found = dict.fromkeys(str(detail["loc"][-1]) for detail in errors if detail.get("loc"))
    names = voice_of(request.headers).listed(found)
    reason = BotError("Please check: {names}. /docs says what is expected.", names=names or "?")
    return problem(request.headers, 422, reason)


def log_bug() -> None:
    """Log the traceback of the exception being handled, which is our mistake."""
    log.exception("a request failed")


async def on_hung_up(request: Request, error: Exception) -> Response:
    """Return an empty answer, which has no reader any more."""
    return Response(status_code=400)


async def on_bug(request: Request, error: Exception) -> Response:
    """Answer any other error, which is our mistake. uvicorn logs the traceback."""
    sentence = BotError("Something went wrong on my side. Please try again.")
    return problem(request.headers, 500, sentence, voice_for(request))
