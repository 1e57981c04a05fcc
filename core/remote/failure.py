"""Say what went wrong at an engine. The reason is for the operator, and never quotes what an engine writes.

Engines quote questions, and some of them keys, in their errors. So of their words only what is recognized counts.
"""

import json
import re
from enum import StrEnum

import httpx2
import openai

LOADING = re.compile(r"\bloading\b", re.IGNORECASE)
TOO_LONG = re.compile(
    r"context|too long|too large|too many tokens|max_model_len|maximum.{0,40}(length|token)", re.IGNORECASE
)
UNTRUSTED = "its certificate is not trusted: let this machine trust its authority, by SSL_CERT_FILE for example"
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0  # that an engine may ask for


class FailureKind(StrEnum):
    """What follows from a failure."""

    UNREACHABLE = "unreachable"  # there is no connection
    LOST = "lost"  # the connection broke off; perhaps it has ended
    BROKEN = "broken"  # it answered nonsense or an error
    SILENT = "silent"  # it said nothing for too long
    REFUSED = "refused"  # only the operator can help: the key, the address, the model's name
    LOADING = "loading"  # it will be there soon
    BUSY = "busy"  # it asks to come back later
    TOO_LONG = "too long"  # fewer turns may fit
    QUESTION = "question"  # it does not take this question


class Failure(Exception):
    """An engine did not answer. `pause` is how many seconds it asks to be left alone."""

    def __init__(self, kind: FailureKind, reason: str, pause: float = SHORTEST_PAUSE_SECONDS) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.pause = pause


class EngineFailed(Exception):
    """No engine answered, and asking later would not help. The message is for the log."""


def failure_of(error: Exception) -> Failure:
    """Return what an exception of the SDK or of its connection means. Raises exceptions of any other kind."""
    match error:
        case Failure():
            return error
        case openai.APITimeoutError() | httpx2.TimeoutException() | TimeoutError():
            if isinstance(error.__cause__ or error, httpx2.ConnectTimeout):
                return Failure(FailureKind.UNREACHABLE, "it cannot be reached in time")
            return Failure(FailureKind.SILENT, "it was silent for too long")
        case openai.APIStatusError():
            return _of_status(error)
        case openai.APIConnectionError():
            return _without_connection(error.__cause__)
        case httpx2.HTTPError():
            return Failure(FailureKind.LOST, "the connection broke off")
        case openai.OpenAIError() | ValueError():
            return Failure(FailureKind.BROKEN, "what it sends is not OpenAI's format")
    raise error


def _of_status(error: openai.APIStatusError) -> Failure:
    status, words = error.status_code, _words(error.body)
    match status:
        case 401 | 403:
            return Failure(FailureKind.REFUSED, f"it refuses the key (status {status}): check api_key in [core.engine]")
        case 404:
            return Failure(FailureKind.REFUSED, "it does not know the address or the model (status 404)")
        case 408 | 429:
            return Failure(FailureKind.BUSY, f"it is busy (status {status})", _pause(error))
        case 503 if LOADING.search(words):
            return Failure(FailureKind.LOADING, "it loads its model", _pause(error))
        case 400 | 413 | 422 if TOO_LONG.search(words):
            return Failure(FailureKind.TOO_LONG, f"the question is too long for it (status {status})")
        case 400 | 413 | 415 | 422:
            return Failure(FailureKind.QUESTION, f"it does not take the question (status {status})")
    if status < 400:
        return Failure(FailureKind.REFUSED, f"it redirects (status {status}), which is not followed: check urls")
    if status >= 500 and TOO_LONG.search(words):  # older llama.cpp
        return Failure(FailureKind.TOO_LONG, f"the question is too long for it (status {status})")
    return Failure(FailureKind.BROKEN, f"it answered with status {status}")


def failure_of_event(body: object) -> Failure:
    """Return what an error inside of an answer's stream means."""
    words = _words(body)
    if TOO_LONG.search(words):
        return Failure(FailureKind.TOO_LONG, "the question is too long for it")
    if LOADING.search(words):
        return Failure(FailureKind.LOADING, "it loads its model")
    return Failure(FailureKind.BROKEN, "it reported an error instead of the answer's end")


def _words(body: object) -> str:
    """Return an error's own text, which may be anything: an object, a string, or a page."""
    if isinstance(body, dict):
        body = body.get("error", body)
    if isinstance(body, dict):
        body = " ".join(str(body.get(name, "")) for name in ("message", "code", "type", "detail"))
    return body if isinstance(body, str) else json.dumps(body, default=str)


def _pause(error: openai.APIStatusError) -> float:
    """Return the seconds of Retry-After. A date, and what is neither, is one second."""
    try:
        asked = float(error.response.headers.get("retry-after", ""))
    except ValueError:
        asked = 0.0
    return min(max(asked, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)


def _without_connection(cause: BaseException | None) -> Failure:
    """Return why there is no connection. The system's own words name neither a question nor a key."""
    reason, kind = "the connection broke off", FailureKind.LOST
    if isinstance(cause, httpx2.ConnectError):
        reason, kind = "there is no connection", FailureKind.UNREACHABLE
    while cause is not None:
        if "CERTIFICATE" in str(cause):
            return Failure(FailureKind.REFUSED, UNTRUSTED)
        if isinstance(cause, ConnectionRefusedError):
            return Failure(kind, "nothing listens there")
        if isinstance(cause, OSError) and cause.strerror:
            reason = f"there is no connection ({cause.strerror})"
        cause = cause.__cause__ or cause.__context__
    return Failure(kind, reason)
