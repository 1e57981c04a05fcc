"""Believe who a proxy says is asking: from the proxies that the operator named, and from no one else."""

from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from bots.web.access.address import NAME_CHARACTERS, SIGNED_IN, is_within
from bots.web.access.guard import UNCLEAR
from bots.web.errors import problem


class SignedIn:
    """Puts the name in `header` into the scope, under `SIGNED_IN`.

    It has to see connections as they come, outside of what replaces their address by the forwarded one.
    """

    def __init__(self, app: ASGIApp, header: str, proxies: Sequence[str]) -> None:
        self._app = app
        self._header = header.lower().encode()
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if scope["type"] == "http" and client and is_within(client[0], self._proxies):
            names = [value.strip() for name, value in scope["headers"] if name.lower() == self._header]
            try:
                name = _name(names)
            except ValueError:
                await problem(scope, 400, UNCLEAR)(scope, receive, send)
                return
            if name:
                scope = {**scope, SIGNED_IN: name}
        await self._app(scope, receive, send)


def _name(values: Sequence[bytes]) -> str:
    """Return the name, "" without one. Raises `ValueError`, also for two: one may be the visitor's own."""
    name = b"".join(values).decode() if len(values) < 2 else ""
    if len(values) > 1 or len(name) > NAME_CHARACTERS:
        raise ValueError("a proxy names one person")
    return name
