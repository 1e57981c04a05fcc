"""Answer errors on the web: a status, and JSON with a `code` and a `detail` in the reader's language."""

import logging
import math

from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match
from starlette.types import Scope

from bots.web.head import API
from bots.web.language import translator_for, translator_of
from bots.web.openai import errors as openai
from core.errors import (
    BadImage,
    BadQuestion,
    BotError,
    Busy,
    EngineMissing,
    Interrupted,
    NoPicture,
    NoRoom,
    NotAllowed,
    NotFound,
    OperatorError,
    OutOfMemory,
    QuotaReached,
    StoreDown,
    TooLarge,
)
from core.i18n import Translator

log = logging.getLogger(__name__)


class BodyTooSlow(BotError):
    pass


class KeyReused(BotError):
    retryable = False


class Restarting(BotError):
    pass


STATUS: tuple[tuple[type[BotError], int, str], ...] = (  # the first that fits, with its code for programs
    (TooLarge, 413, "too_large"),
    (BadImage, 415, "invalid_image"),
    (NoRoom, 507, "no_room"),
    (NoPicture, 400, "no_picture"),
    (BadQuestion, 400, "invalid_question"),
    (StoreDown, 503, "storage_down"),
    (Interrupted, 503, "restarting"),
    (OutOfMemory, 503, "out_of_memory"),
    (QuotaReached, 429, "quota_reached"),
    (Busy, 429, "busy"),
    (NotAllowed, 403, "not_allowed"),
    (NotFound, 404, "not_found"),
    (BodyTooSlow, 408, "too_slow"),
    (KeyReused, 422, "key_reused"),
    (EngineMissing, 503, "no_model"),
    (Restarting, 503, "restarting"),
    (OperatorError, 503, "misconfigured"),
)
CODES = {  # of refusals that have a status and no error of their own
    400: "invalid_request",
    401: "invalid_token",
    404: "not_found",
    405: "method_not_allowed",
    422: "invalid_parameter",
    500: "internal_error",
}
METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
HTTP_ERRORS = {
    404: BotError("There is nothing at this address."),
    405: BotError("This address cannot be used that way."),
}


def status_of(error: BotError) -> int:
    return next((status for kind, status, _ in STATUS if isinstance(error, kind)), 500)


def code_of(error: BotError, status: int) -> str:
    """Return what programs can tell an error by: its own code, or that of its kind."""
    if own := getattr(error, "code", None):
        return str(own)
    known = (code for kind, of, code in STATUS if isinstance(error, kind) and of == status)
    return next(known, CODES.get(status, "invalid_request"))


def problem(scope: Scope, status: int, error: BotError, translator: Translator | None = None) -> Response:
    """Return the answer to a request that failed, in the shape of the API that was asked."""
    detail = (translator or translator_of(Headers(scope=scope))).explain(error)
    code = code_of(error, status)
    if openai.owns(scope["path"]):
        return openai.problem(status, error, detail, code)
    body: dict[str, object] = {"detail": detail, "code": code}
    if error.retryable and (status in (408, 429) or status >= 500):
        body["retryable"] = True
    return JSONResponse(body, status)


async def on_bot_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, BotError)
    response = problem(request.scope, status_of(error), error, translator_for(request))
    if isinstance(error, Busy):
        response.headers["Retry-After"] = str(math.ceil(error.retry_after))
    return response


async def on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    reason = HTTP_ERRORS.get(error.status_code, BotError("This request could not be understood."))
    response = problem(request.scope, error.status_code, reason)
    response.headers.update(error.headers or {})
    if error.status_code == 405:
        response.headers["Allow"] = ", ".join(_allowed(request))
    return response


def _allowed(request: Request) -> list[str]:
    """Return every method that an address answers. A router names only those of the first route that fits."""
    routes, scope = request.app.routes, dict(request.scope)
    scope["root_path"] = scope.get("app_root_path", "")  # a mount has moved it
    found = {
        method
        for method in METHODS
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
    }
    if scope["method"] in found:  # it leads to files, which match whatever the method is
        found = {"GET"}
    if "GET" in found and not request.url.path.startswith(API):
        found.add("HEAD")
    return sorted(found)


async def on_invalid(request: Request, error: Exception) -> Response:
    """Answer a parameter that does not match the documentation."""
    assert isinstance(error, RequestValidationError)
    errors = error.errors()
    found = dict.fromkeys(str(detail["loc"][-1]) for detail in errors if detail.get("loc"))
    names = translator_of(request.headers).listed(found)
    reason = BotError("Please check: {names}. /docs says what is expected.", names=names or "?")
    return problem(request.scope, 422, reason)


def log_bug() -> None:
    """Log the traceback of the exception being handled, which is our mistake."""
    log.exception("a request failed")


async def on_hung_up(request: Request, error: Exception) -> Response:
    """Return an empty answer, which has no reader any more."""
    return Response(status_code=400)


async def on_bug(request: Request, error: Exception) -> Response:
    """Answer any other error, which is our mistake. uvicorn logs the traceback."""
    sentence = BotError("Something went wrong on my side. Please try again.")
    return problem(request.scope, 500, sentence, translator_for(request))
