"""Answer HEAD wherever a page answers GET: FastAPI's routes know only what they name."""

from starlette.types import ASGIApp, Receive, Scope, Send

API = "/api/"  # whose documentation names every method


class HeadLikeGet:
    """Let pages see a GET. The server sends the headers of what they answer, and no body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD" and not scope["path"].startswith(API):
            scope = {**scope, "method": "GET"}  # a copy: the server looks at its own
        await self._app(scope, receive, send)
