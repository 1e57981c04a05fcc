"""Let scripts of the other web pages that the operator named use /v1 (CORS)."""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from bots.web.openai import errors as openai
from bots.web.openai.replies import NOTES

READABLE_HEADERS = ("Retry-After", NOTES)
KEPT_SECONDS = 600  # that a browser remembers what it may send


class OpenToOrigins:
    """Answers browsers that ask whether they may, and marks what these pages may read. Nothing outside /v1 is open."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._open = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            allow_headers=("*",),
            expose_headers=READABLE_HEADERS,
            max_age=KEPT_SECONDS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_open = scope["type"] == "http" and openai.owns(scope["path"])
        await (self._open if is_open else self._app)(scope, receive, send)
