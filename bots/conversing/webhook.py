"""Define addresses of the web page's server that a platform posts to, each with its own check of the sender."""

from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Router
from starlette.types import Receive, Scope, Send


class Webhook(BaseRoute):
    """A route that a platform posts to. `admits` checks a caller by the headers alone, before the body is read.

    `take` answers the request.
    """

    def __init__(
        self, path: str, admits: Callable[[Headers], bool], take: Callable[[Request], Awaitable[Response]]
    ) -> None:
        self.path = path
        self.admits = admits
        self._take = take

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        found = scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == self.path
        return (Match.FULL, {"route": self}) if found else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._take(Request(scope, receive))
        await response(scope, receive, send)


class Webhooks(BaseRoute):
    """The webhooks among a router's routes. They come and go with their platforms.

    A webhook's path is the public one. `prefix` is what proxies, or `bots.web.path_prefix`, have taken away of it.
    """

    def __init__(self, extra_routes: Router | None, prefix: str = "") -> None:
        self._extra_routes = extra_routes
        self._prefix = prefix

    def find(self, scope: Scope) -> Webhook | None:
        """Return the webhook that a request is for."""
        routes = self._extra_routes.routes if self._extra_routes else ()
        public = {**scope, "path": self._prefix + scope["path"]} if self._prefix else scope
        webhooks = (route for route in routes if isinstance(route, Webhook))
        return next(
            (each for each in webhooks if Match.FULL in (each.matches(scope)[0], each.matches(public)[0])), None
        )

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        webhook = self.find(scope)
        return (Match.FULL, {"route": webhook}) if webhook else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope["route"].handle(scope, receive, send)
