"""Put the parts of the Slack bot together and run them."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from bots.conversing.proxy import Proxies
from bots.conversing.services import Services
from bots.slack import socket, webhook
from bots.slack.access import WISHES, Declined
from bots.slack.api import SlackApi
from bots.slack.config import SlackConfig
from bots.slack.gateway import Gateway
from bots.slack.receiver import Receiver
from bots.slack.worker import Worker
from core.errors import OperatorError

log = logging.getLogger(__name__)


async def serve(config: SlackConfig, services: Services) -> None:
    if config.signing_secret and services.extra_routes is None:
        raise OperatorError(
            "signing_secret in [bots.slack] needs the web page: add a table [bots.web], or use app_token."
        )
    endpoint = None
    if config.signing_secret and services.extra_routes is not None:
        endpoint = webhook.endpoint(services.extra_routes, config.signing_secret.get_secret_value())
    if not (config.allow or config.admins):
        log.warning("allow in [bots.slack] is empty, so no one is answered; the bot tells people which id to add")
    proxies, token = Proxies(config.proxy), config.bot_token.get_secret_value()
    async with SlackApi(token, config.api_url, config.pace_seconds, services.health, proxies) as slack:
        await slack.introduce()
        for scope in slack.missing:
            log.warning("Slack has not granted this app %s: %s", scope, WISHES[scope])
        services.health.admin_notifiers["slack"] = partial(_tell, slack, config.admins)
        worker = Worker(config, slack, services)
        receiver = Receiver(config, slack, worker, services)
        await worker.resume()
        gateway = Gateway(receiver.app)
        watching = asyncio.create_task(slack.access.watch())
        try:
            await _receive(config, slack, gateway, endpoint)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await receiver.close()
            await worker.close()
            services.health.admin_notifiers.pop("slack", None)


async def _tell(slack: SlackApi, admins: Sequence[str], text: str) -> None:
    """Send a text to each admin in their conversation with the app."""
    for admin in admins:
        with suppress(Declined):
            await slack.call(slack.client.chat_postMessage, channel=admin, text=text)


async def _receive(
    config: SlackConfig, slack: SlackApi, gateway: Gateway, endpoint: webhook.EventsEndpoint | None
) -> None:
    if config.app_token:
        await socket.receive(gateway, slack, config.app_token.get_secret_value())
    if endpoint is None:
        return
    with endpoint.open_for(gateway.receive):
        slack.access.works("way in")
        log.info("Slack's events are taken at %s", webhook.PREFIX + webhook.PATH)
        await asyncio.Event().wait()
