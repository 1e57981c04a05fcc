"""Take updates that Telegram posts to the web page's server. Each is on disk before it is answered with 200."""

import asyncio
import hmac
import json
import logging
from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Router
from telegram import Bot

from bots.conversing.webhook import Webhook
from bots.telegram.config import TelegramConfig
from bots.telegram.outage import Outage
from bots.telegram.polling import Receive, kinds, retry_until_done
from core.errors import BotError

log = logging.getLogger(__name__)
LARGEST_UPDATE_BYTES = 1 << 20
CHECK_SECONDS = 60.0  # between two checks of our address at Telegram


async def listen(bot: Bot, config: TelegramConfig, extra_routes: Router, receive: Receive, outage: Outage) -> None:
    """Work until cancelled. `extra_routes` are the routes that the web page's server carries for others."""
    secret = config.webhook_secret.get_secret_value()
    endpoint = _Endpoint(secret, receive)
    webhook = Webhook(unquote(urlsplit(config.webhook_url).path) or "/", endpoint.admits, endpoint.take)
    extra_routes.routes.append(webhook)
    log.info("Telegram's updates are received at %s", webhook.path)

    async def register() -> None:
        await bot.set_webhook(config.webhook_url, secret_token=secret, allowed_updates=kinds(config))

    async def check() -> None:
        """Set our address again if it was changed, or if another program began to poll with the same token."""
        if (await bot.get_webhook_info()).url != config.webhook_url:
            await register()

    try:
        await retry_until_done(register, outage)
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            await retry_until_done(check, outage)
    finally:
        extra_routes.routes.remove(webhook)


class _Endpoint:
    def __init__(self, secret: str, receive: Receive) -> None:
        self._secret = secret.encode()
        self._receive = receive

    def admits(self, headers: Headers) -> bool:
        given = headers.get("X-Telegram-Bot-Api-Secret-Token", "").encode()
        return hmac.compare_digest(given, self._secret)

    async def take(self, request: Request) -> Response:
        """Take an update.

        Telegram repeats it unless it gets 200, so only updates that cannot be stored get anything else.
        """
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_UPDATE_BYTES:
                log.warning("an update of more than %d bytes is skipped", LARGEST_UPDATE_BYTES)
                return Response()
        try:
            update = json.loads(body)
        except (ValueError, RecursionError) as error:
            log.warning("an update cannot be read and is skipped: %s", type(error).__name__)
            return Response()
        try:
            await self._receive(update)
        except BotError as error:
            log.error("messages cannot be stored; Telegram keeps them until they can: %s", error)
            return Response(status_code=503)
        return Response()
