"""uvicorn inside our own event loop: serves until cancelled, then ends its readers and closes cleanly."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp, Message

from bots.house import House
from bots.web.app import make_app
from bots.web.config import Config
from bots.web.desk import Desk
from bots.web.operation import Operation
from bots.web.patience import patient_protocol
from bots.web.port import listen

log = logging.getLogger(__name__)
PATIENCE_S = 3  # for answers to requests that are nearly done when the service ends


async def serve(config: Config, house: House, ready: Callable[[str], None] | None) -> None:
    desk = Desk(house.assistant, house.store, house.images)
    operation = Operation(house.assistant.tally, house.figures, house.health)
    app = make_app(config, desk, house.images, operation, house.guests)
    settings = uvicorn.Config(
        app, http=patient_protocol(config.body_timeout), log_config=None, access_log=False, lifespan="off", ws="none",
        server_header=False, timeout_graceful_shutdown=PATIENCE_S,
    )  # fmt: skip
    server = _Server(settings)
    with operation.troubles, contextlib.closing(listen(config)) as listener:
        await desk.open()
        await _warm_up(app)
        pulse = asyncio.create_task(app.state.metrics.feel_pulse())
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            house.health.worked("web")
            address = f"http://{_shown(config)}:{listener.getsockname()[1]}"
            log.info("the page is at %s", address)
            if ready is not None:
                ready(address)
            await asyncio.shield(serving)
        finally:
            await desk.close()
            server.should_exit = True
            await serving
            pulse.cancel()


async def _warm_up(app: ASGIApp) -> None:
    """FastAPI prepares its routes at the first request, which takes a fifth of a second: nobody shall wait for that."""

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
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ctrl-C belongs to the composition root, which cancels us."""
        yield


def _shown(config: Config) -> str:
    """A name that a browser on this machine can open."""
    if config.host in ("0.0.0.0", "::"):
        return "localhost"
    return f"[{config.host}]" if ":" in config.host else config.host
