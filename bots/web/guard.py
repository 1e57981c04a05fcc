"""What every request passes before any code of ours reads it: name and origin, token, size and pace of the body.

Plain ASGI, so that a refusal costs nothing: no route is looked up and no byte of the body is read.
"""

import ipaddress
import logging
import socket
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bots.web.address import person_of
from bots.web.body import pieces, receive_metered
from bots.web.config import Config
from bots.web.problem import problem
from bots.web.session import Door
from bots.web.throttle import Throttle
from bots.webhook import Webhooks
from core import asker
from core.errors import BotError, NotAllowed, TooLarge

log = logging.getLogger(__name__)
OPEN_PATHS = ("/healthz", "/readyz", "/login")  # and what the login page shows: /static
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",  # with no-referrer browsers would send our own forms with Origin: null
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
UNKNOWN_HOST = BotError("This name is not known here. Whoever runs the service can add it to hosts in [bots.web].")
FOREIGN_PAGE = NotAllowed("Another web page sent this request, which is not allowed.")
NO_TOKEN = NotAllowed("Please give the token: as 'Authorization: Bearer …', or at /login.")
TOO_MANY_TRIES = NotAllowed("Too many tries. Please wait a minute.")


class Guard:
    """`tries` counts the wrong tokens of each address, here and at /login. `webhooks` know their callers themselves."""

    def __init__(self, app: ASGIApp, config: Config, door: Door, tries: Throttle, webhooks: Webhooks) -> None:
        self._app = app
        self._config = config
        self._door = door
        self._tries = tries
        self._webhooks = webhooks
        self._too_much = TooLarge("That is too much at once: at most {limit} MB, please.", limit=config.upload_mb)
        self._names = {"localhost", *(name.lower() for name in config.hosts)}
        if not config.loopback:
            self._names |= {config.host.lower(), socket.gethostname().lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # websockets: we have none, and closing without an answer refuses them
        headers = Headers(scope=scope)

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                outgoing = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    outgoing.setdefault(name, value)
                outgoing.setdefault("Cache-Control", "no-store")
            for piece in pieces(message):
                await send(piece)

        asker.begin(person_of(scope))
        if "x-forwarded-for" in headers and not self._config.trusted_proxies:
            log.warning("X-Forwarded-For is not believed: name your proxy in trusted_proxies of [bots.web]")
        refusal = self._refuse(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, send_safely)
            return
        metered = receive_metered(receive, self._config.body_timeout, self._config.upload_bytes, self._too_much)
        await self._app(scope, metered, send_safely)

    def _refuse(self, scope: Scope, headers: Headers) -> Response | None:
        if webhook := self._webhooks.find(scope):  # no browser calls it, and its secret says more than a name
            if not webhook.admits(headers):
                return Response(status_code=403)
        elif (refusal := self._refuse_browser(scope, headers)) is not None:
            return refusal
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length) > self._config.upload_bytes:
            return problem(headers, 413, self._too_much)
        return None

    def _refuse_browser(self, scope: Scope, headers: Headers) -> Response | None:
        if not self._known_host(headers.get("host", "")):
            return problem(headers, 400, UNKNOWN_HOST)
        if scope["method"] not in SAFE_METHODS and not self._own_origin(headers):
            return problem(headers, 403, FOREIGN_PAGE)
        return None if self._is_open(scope["path"]) else self._turn_away(scope, headers)

    def _known_host(self, host: str) -> bool:
        """Names that a foreign page could point at us (DNS rebinding) are refused; addresses cannot be rebound."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if name in self._names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self._config.loopback

    def _own_origin(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is None:  # no browser, or one too old to say; then the cookie's SameSite=Strict holds
            return headers.get("sec-fetch-site", "none") in ("same-origin", "none")
        try:
            parts = urlsplit(origin)
            return parts.netloc.lower() == headers.get("host", "").lower() or parts.hostname in self._config.hosts
        except ValueError:
            return False

    def _is_open(self, path: str) -> bool:
        return self._door.open or path in OPEN_PATHS or path.startswith(("/static/", "/slack/"))  # Slack signs

    def _turn_away(self, scope: Scope, headers: Headers) -> Response | None:
        address = (scope.get("client") or ("",))[0]
        tries_token = "authorization" in headers
        if tries_token and self._tries.wait(address) > 0:  # also the right one, or guessing would go on
            refusal = problem(headers, 429, TOO_MANY_TRIES)
            refusal.headers["Retry-After"] = "60"
            return refusal
        try:
            cookies = {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()}
        except CookieError:
            cookies = {}
        if self._door.admits(headers.get("authorization", ""), cookies):
            return None
        if tries_token:
            self._tries.count(address)
        if scope["method"] in ("GET", "HEAD") and "text/html" in headers.get("accept", ""):
            return RedirectResponse("/login", 303)
        refusal = problem(headers, 401, NO_TOKEN)
        refusal.headers["WWW-Authenticate"] = "Bearer"
        return refusal
