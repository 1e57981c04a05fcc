"""Takes updates that Telegram posts. Each is on disk before it is answered with 200; Telegram repeats all others."""

import asyncio
import contextlib
import hmac
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from telegram import Bot

from bots.telegram.config import Config
from bots.telegram.outage import Outage
from bots.telegram.polling import WANTED, Receive, insist
from core.errors import BotError, OperatorError

log = logging.getLogger(__name__)
BODY_LIMIT = 1 << 20  # bytes of one update
PATIENCE_S = 3  # for requests that are being written down when the service ends


async def listen(bot: Bot, config: Config, receive: Receive, outage: Outage) -> None:
    """Work until cancelled.

    Raises `OperatorError` when the address cannot be had or the token is not good.
    """
    try:
        listener = socket.create_server((config.host, config.port))
    except OSError as error:
        raise OperatorError(
            "The webhook cannot listen on {host}:{port}: {reason}. Choose another port in [bots.telegram].",
            host=config.host,
            port=config.port,
            reason=error.strerror or str(error),
        ) from None
    route = Route(urlsplit(config.webhook_url).path or "/", _endpoint(config, receive), methods=["POST"])
    settings = uvicorn.Config(
        Starlette(routes=[route]), log_config=None, access_log=False, lifespan="off", ws="none", server_header=False,
        timeout_graceful_shutdown=PATIENCE_S,
    )  # fmt: skip
    server = _Server(settings)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        secret = config.webhook_secret.get_secret_value()
        await insist(lambda: bot.set_webhook(config.webhook_url, secret_token=secret, allowed_updates=WANTED), outage)
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving
        listener.close()


def _endpoint(config: Config, receive: Receive) -> Callable[[Request], Awaitable[Response]]:
    secret = config.webhook_secret.get_secret_value().encode()

    async def answer(request: Request) -> Response:
        given = request.headers.get("X-Telegram-Bot-Api-Secret-Token", "").encode()
        if not hmac.compare_digest(given, secret):
            return Response(status_code=403)
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_LIMIT:
                return Response(status_code=413)
        try:
            update = json.loads(body)
        except (ValueError, RecursionError) as error:  # 200: what is no JSON now will be none the next time
            log.warning("an update cannot be read and is skipped: %s", type(error).__name__)
            return Response()
        try:
            await receive(update)
        except BotError as error:
            log.error("messages cannot be written down, Telegram keeps them until they can: %s", error)
            return Response(status_code=503)
        return Response()

    return answer


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ctrl-C belongs to the composition root, which cancels us."""
        yield
