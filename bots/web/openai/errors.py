"""Answer errors as OpenAI does: `{"error": {"message", "type", "param", "code"}}`."""

from typing import Any

from starlette.responses import JSONResponse, Response

from core.errors import BadQuestion, BotError, NotFound

PREFIX = "/v1/"
STATUSES = {415: 400, 422: 400}  # that OpenAI's clients do not know
TYPES = {401: "authentication_error", 403: "permission_error", 408: "timeout_error", 429: "rate_limit_error"}


class BadField(BadQuestion):
    """A field of the request is wrong. `param` is its path, `messages.0.content` for example."""

    def __init__(self, sentence: str, param: str, code: str = "invalid_request", **values: Any) -> None:
        super().__init__(sentence, **values)
        self.param = param
        self.code = code


class NoSuchModel(NotFound):
    param, code = "model", "model_not_found"


def owns(path: str) -> bool:
    return path.startswith(PREFIX)


def error_object(status: int, error: BotError, message: str, code: str) -> dict[str, Any]:
    """Return the error as an answer or an event of a stream holds it."""
    kind = TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": getattr(error, "param", None), "code": code}}


def problem(status: int, error: BotError, message: str, code: str) -> Response:
    status = STATUSES.get(status, status)
    return JSONResponse(error_object(status, error, message, code), status)
