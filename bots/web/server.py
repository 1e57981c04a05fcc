"""Run uvicorn inside our own event loop: serve until cancelled, then end all readers and close cleanly."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from bots.conversing.readiness import Readiness
from bots.conversing.services import Services
from bots.log import OnceAMinute
from bots.web.access.signed_in import SignedIn
from bots.web.app import make_app
from bots.web.config import WebConfig
from bots.web.connection import Connection
from bots.web.connections import Connections, Lost
from bots.web.listen import listen
from bots.web.operations.status import Operation
from bots.web.receiver import Receiver
from core import hardware

log = logging.getLogger(__name__)
CONNECTIONS_SHARE = 0.75  # of the process's descriptors; files, decoders and platforms need the rest
# Loggers that any client can make write.
SELDOM = (
    "bots.web.connections",
    "bots.web.access.guard",
    "bots.web.operations.metrics",
    "core.quota",
    "uvicorn.error",
    "asyncio",
)
TICK_SECONDS = 0.1  # between two ticks of uvicorn, which counts ten for a second
PATIENCE_SECONDS = 3  # for requests that are nearly answered when the service ends


async def serve(config: WebConfig, services: Services, ready: Callable[[str], None] | None) -> None:
    receiver = Receiver(services)
    readiness = Readiness(services.store, services.assistant.stats, services.check_model)
    operation = Operation(
        services.assistant.stats, services.engine_stats, services.health, readiness,
        permissions=services.permissions, leases=services.leases,
    )  # fmt: skip
    app = make_app(config, receiver, services.images, operation, services.extra_routes)
    settings = uvicorn.Config(
        _behind_proxies(app, config), http=Connection, log_config=None, access_log=False, lifespan="off", ws="none",
        server_header=False, timeout_graceful_shutdown=PATIENCE_SECONDS, proxy_headers=False,
    )  # fmt: skip
    settings.load()
    server = _Server(settings)

    def connection(lost: Lost) -> Connection:
        return Connection(settings, server.server_state, config.body_timeout_seconds, lost)

    limit = min(config.connections, int(CONNECTIONS_SHARE * hardware.descriptors()))
    connections = Connections(connection, limit, config.connections_per_address, config.trusted_proxies)
    with operation.troubles, OnceAMinute(*SELDOM), contextlib.closing(listen(config)) as listener:
        await receiver.open()
        await _warm_up(app)
        pulse = asyncio.create_task(app.state.metrics.feel_pulse())
        serving = asyncio.create_task(server.serve(sockets=[]))  # `connections` accepts for it
        try:
            services.health.mark_working("web")
            address = f"http://{_shown(config)}:{listener.getsockname()[1]}"
            log.info("the page is at %s", address)
            if config.open_to:
                log.log(logging.WARNING if config.loopback else logging.ERROR, "the page is %s", config.open_to)
            if ready is not None:
                ready(address)
            await connections.serve(listener)
        finally:
            listener.close()
            await receiver.close()
            server.end()
            await serving
            connections.abort()
            pulse.cancel()


def _behind_proxies(app: ASGIApp, config: WebConfig) -> ASGIApp:
    """Let the application see who asks as the named proxies say it."""
    if not config.trusted_proxies:
        return app
    forwarded: Any = ProxyHeadersMiddleware(app, config.trusted_proxies)  # type: ignore[arg-type]
    return SignedIn(forwarded, config.person_header, config.trusted_proxies)


async def _warm_up(app: ASGIApp) -> None:
    """Prepare FastAPI's routes, which takes a fifth of a second that the first request should not wait for."""

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Message) -> None:
        pass

    scope = {"type": "http", "method": "GET", "path": "/healthz", "raw_path": b"/healthz", "query_string": b""}
    await app(
        {**scope, "root_path": "", "http_version": "1.1", "scheme": "http", "headers": [(b"host", b"localhost")]},
        receive,
        send,
    )


class _Server(uvicorn.Server):
    """uvicorn's server, except that it ends at once: uvicorn's own looks ten times a second whether it is to end."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ending = asyncio.Event()

    def end(self) -> None:
        self.should_exit = True
        self._ending.set()

    async def main_loop(self) -> None:
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._ending.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave Ctrl-C to the composition root, which cancels us."""
        yield


def _shown(config: WebConfig) -> str:
    """Return a name that a browser on this machine can open."""
    if config.host in ("0.0.0.0", "::"):
        return "localhost"
    return f"[{config.host}]" if ":" in config.host else config.host
