"""Serve the page below a path, behind proxies that take the path away and behind those that leave it."""

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class PathPrefix:
    """Let everything behind it see addresses as if the page were at the top."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._prefix and scope["type"] == "http":
            path: str = scope["path"]
            if path == self._prefix and scope["method"] in ("GET", "HEAD"):
                await RedirectResponse(f"{self._prefix}/", 308)(scope, receive, send)  # relative links need the stroke
                return
            if path.startswith(f"{self._prefix}/"):
                raw = scope.get("raw_path") or b""
                shorter = raw.removeprefix(self._prefix.encode())
                scope = {**scope, "path": path.removeprefix(self._prefix), "raw_path": shorter}
        await self._app(scope, receive, send)
