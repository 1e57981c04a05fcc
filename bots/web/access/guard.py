"""Check every request before other code reads it: name and origin, token, size and pace of the body.

This is plain ASGI, so that a refusal costs nothing: no route is looked up, and no byte of the body is read.
"""

import ipaddress
import logging
import socket
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bots.conversing.webhook import Webhooks
from bots.web.access.address import KEY_NAME, client_of, person_of
from bots.web.access.session import Authentication, TokenCheck
from bots.web.body import pieces, receive_metered
from bots.web.config import WebConfig
from bots.web.errors import problem
from bots.web.openai import errors as openai
from core import work_context
from core.errors import BotError, NotAllowed, StoreDown, TooLarge

log = logging.getLogger(__name__)
OPEN_PATHS = ("/healthz", "/readyz", "/login")
OPEN_FOLDERS = ("/static/", "/slack/", "/shared/")  # Slack signs, and a shared link is a secret of its own
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers send our own forms with Origin: null
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
DEFAULT_PORTS = {"http": 80, "https": 443}
UNCLEAR = BotError("This request could not be understood.")
UNKNOWN_HOST = BotError(
    "This name is not known here. The person who runs the service can add it to hosts in [bots.web]."
)
FOREIGN_PAGE = NotAllowed("Another web page sent this request, which is not allowed.")
NO_TOKEN = NotAllowed("Please give the token: as 'Authorization: Bearer …', or at /login.")
NO_KEY = NotAllowed("Please give the key: as 'Authorization: Bearer …'.")
TOO_MANY_TRIES = NotAllowed("Too many tries. Please wait a minute.")


class Guard:
    """The check of requests. `webhooks` know their callers themselves."""

    def __init__(self, app: ASGIApp, config: WebConfig, auth: Authentication, webhooks: Webhooks) -> None:
        self._app = app
        self._config = config
        self._auth = auth
        self._webhooks = webhooks
        self._too_much = TooLarge("That is too much at once: at most {limit} MB, please.", limit=config.upload_limit_mb)
        named = (_name_and_port(host, "http") for host in config.hosts)
        self._names = {"localhost", *(name for name, _ in filter(None, named))}
        if not config.loopback:
            self._names |= {config.host.lower(), socket.gethostname().lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # closing without an answer refuses websockets, which we do not have
        headers = Headers(scope=scope)

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                outgoing = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    outgoing.setdefault(name, value)
                outgoing.setdefault("Cache-Control", "no-store")
            for piece in pieces(message):
                await send(piece)

        work_context.set_current(person_of(scope))
        if "x-forwarded-for" in headers and not self._config.trusted_proxies:
            log.warning("X-Forwarded-For is ignored: name your proxy in trusted_proxies of [bots.web]")
        refusal: Response | None
        try:
            refusal = await self._refuse(scope, headers)
        except StoreDown as error:
            refusal = problem(scope, 503, error)
        if refusal is not None:
            await refusal(scope, receive, send_safely)
            return
        metered = receive_metered(receive, self._config.body_timeout_seconds, self._config.upload_bytes, self._too_much)
        await self._app(scope, metered, send_safely)

    async def _refuse(self, scope: Scope, headers: Headers) -> Response | None:
        if "content-length" in headers and "transfer-encoding" in headers:
            # The end of the body is given twice, and a proxy in front of us may believe the other one (RFC 9112, 6.1).
            unclear = problem(scope, 400, UNCLEAR)
            unclear.headers["Connection"] = "close"
            return unclear
        if webhook := self._webhooks.find(scope):  # no browser calls it, and its secret proves more than a name
            if not webhook.admits(headers):
                return Response(status_code=403)
        elif (refusal := await self._refuse_browser(scope, headers)) is not None:
            return refusal
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length) > self._config.upload_bytes:
            return problem(scope, 413, self._too_much)
        return None

    async def _refuse_browser(self, scope: Scope, headers: Headers) -> Response | None:
        if not self._known_host(headers.get("host", "")):
            return problem(scope, 400, UNKNOWN_HOST)
        if scope["method"] not in SAFE_METHODS and not self._own_origin(scope, headers):
            return problem(scope, 403, FOREIGN_PAGE)
        if openai.owns(scope["path"]):
            return None if self._auth.open_to_programs else await self._turn_away(scope, headers, of_program=True)
        return None if self._is_open(scope["path"]) else await self._turn_away(scope, headers)

    def _known_host(self, host: str) -> bool:
        """Return whether a name is known.

        A foreign page could point others at us (DNS rebinding); addresses are safe.
        """
        name, _ = _name_and_port(host, "http") or ("", 0)
        if name in self._names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self._config.loopback

    def _own_origin(self, scope: Scope, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin in self._config.origins and openai.owns(scope["path"]):
            return True
        if origin is None:  # no browser, or an old one; then the cookie's SameSite=Strict protects
            return headers.get("sec-fetch-site", "none") in ("same-origin", "none")
        scheme = origin.partition("://")[0]
        if scheme not in DEFAULT_PORTS or (scope["scheme"] == "https" and scheme != "https"):
            return False
        own = (headers.get("host", ""), *self._config.hosts)
        return _name_and_port(origin.partition("://")[2], scheme) in [_name_and_port(host, scheme) for host in own]

    def _is_open(self, path: str) -> bool:
        return self._auth.open or path in OPEN_PATHS or path.startswith(OPEN_FOLDERS)

    async def _turn_away(self, scope: Scope, headers: Headers, of_program: bool = False) -> Response | None:
        cookies, (scheme, _, token) = cookies_of(headers), headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            verdict = await self._auth.try_token(token.strip(), client_of(scope), cookies, of_program)
        else:
            verdict = TokenCheck.RIGHT if await self._auth.is_session(cookies) else TokenCheck.WRONG
        if verdict is TokenCheck.RIGHT:
            if of_program:
                scope[KEY_NAME] = self._auth.name_of(token.strip())
            return None
        if verdict is TokenCheck.TOO_MANY:
            refusal = problem(scope, 429, TOO_MANY_TRIES)
            refusal.headers["Retry-After"] = "60"
            return refusal
        if scope["method"] in ("GET", "HEAD") and "text/html" in headers.get("accept", ""):
            return RedirectResponse(f"{self._config.path}/login", 303)
        refusal = problem(scope, 401, NO_KEY if of_program else NO_TOKEN)
        refusal.headers["WWW-Authenticate"] = "Bearer"
        return refusal


def cookies_of(headers: Headers) -> dict[str, str]:
    """Return the cookies by name, or none if they cannot be read."""
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()}
    except CookieError:
        return {}


def _name_and_port(host: str, scheme: str) -> tuple[str, int] | None:
    """Return the name and port of a Host header, or of an origin without its scheme; None if it is invalid."""
    try:
        parts = urlsplit(f"//{host}")
        return (parts.hostname or "").rstrip("."), parts.port or DEFAULT_PORTS[scheme]
    except ValueError:
        return None
