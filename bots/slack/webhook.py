"""Receive events over HTTP: one route on the web adapter's server, from the start of the service to its end.

The sender is checked before anything is read: Slack signs every request.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import parse_qs

from slack_bolt.adapter.starlette.async_handler import to_starlette_response
from slack_bolt.response import BoltResponse
from slack_sdk.signature import SignatureVerifier
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router

log = logging.getLogger(__name__)
PREFIX = "/slack"  # of our router in the web adapter
PATH = "/events"
LARGEST_BODY_BYTES = 1 << 20  # Slack's own are some kilobytes; the sender is unknown until it is read
RECEIVER_WAIT_SECONDS = 1.5  # for a receiver; Slack waits three
AGAIN_SECONDS = 60
Receive = Callable[[object], Awaitable[BoltResponse]]


class EventsEndpoint:
    """Receives events, buttons, shortcuts and windows. While there is no receiver, Slack is asked to repeat them."""

    def __init__(self, signing_secret: str) -> None:
        self._receive: Receive | None = None
        self._opened = asyncio.Event()
        self._verifier = SignatureVerifier(signing_secret)

    @contextmanager
    def open_for(self, receive: Receive) -> Iterator[None]:
        self._receive = receive
        self._opened.set()
        try:
            yield
        finally:
            self._receive = None
            self._opened.clear()

    async def take(self, request: Request) -> Response:
        body = await _read(request)
        if body is None:
            return _refused(413, "too large")
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return _refused(400, "not UTF-8")
        if not self._is_signed(request, text):
            return _refused(401, "not signed by Slack")
        with suppress(TimeoutError):  # while the service starts
            async with asyncio.timeout(RECEIVER_WAIT_SECONDS):
                await self._opened.wait()
        if self._receive is None:
            later = {"Retry-After": str(AGAIN_SECONDS)}
            return PlainTextResponse("not ready", status_code=503, headers=later)
        return to_starlette_response(await self._receive(_parse(text)))

    def _is_signed(self, request: Request, body: str) -> bool:
        with suppress(ValueError, TypeError):  # a time that is no number, a signature that is not ASCII
            return self._verifier.is_valid_request(body, request.headers)
        return False


def endpoint(router: Router, signing_secret: str) -> EventsEndpoint:
    """Return the router's endpoint, made at the adapter's first start."""
    for route in router.routes:
        known = getattr(getattr(route, "endpoint", None), "__self__", None)
        if isinstance(known, EventsEndpoint):
            return known
    made = EventsEndpoint(signing_secret)
    router.routes.append(Route(PATH, made.take, methods=["POST"]))
    return made


async def _read(request: Request) -> bytes | None:
    """Return the body, or None if it is larger than `LARGEST_BODY_BYTES`."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY_BYTES:
            return None
    return bytes(body)


def _parse(text: str) -> object:
    """Return the content, or None if it cannot be read."""
    try:
        if not text.lstrip().startswith(("{", "[")):
            text = parse_qs(text)["payload"][0]  # of buttons, shortcuts and windows
        return json.loads(text)
    except (ValueError, KeyError, RecursionError):
        return None


def _refused(status: int, reason: str) -> Response:
    log.warning("a request to %s is refused: %s", PREFIX + PATH, reason)
    return PlainTextResponse(reason, status_code=status)
