"""Socket Mode: Slack's events over a WebSocket that the bot opens, so that no port needs to be open.

Slack ends every connection after a while, and warns before. The SDK opens the next one, but it has ways to stay deaf
while the process lives: it tries a used-up address for ever, and asks with a revoked token for ever. So this watches it
and begins anew, and tells the operator what the SDK only logs.
"""

import asyncio
import logging

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp

from bots.draft import Later
from bots.slack.api import Declined, SlackApi
from core.errors import OperatorError

log = logging.getLogger(__name__)
PING_S = 5.0  # a connection that does not answer for four of these is given up
CONNECT_S = 6.0  # for a first connection; after that its address is used up
DEAF_S = 3.0  # without a connection for so long, the SDK's client is replaced; its own monitor is slower
WATCH_S = 0.5


async def receive(app: AsyncApp, slack: SlackApi, app_token: str) -> None:
    """Until cancelled. Raises `OperatorError` when Slack does not take the token."""
    while True:
        handler = AsyncSocketModeHandler(app, app_token, web_client=slack.bare_client, ping_interval=PING_S)
        client = handler.client
        tasks = [client.message_processor]
        try:
            client.wss_uri = await open_address(slack, app_token)
            async with asyncio.timeout(CONNECT_S):
                await client.connect()  # type: ignore[no-untyped-call]
            await _watch(handler)
            log.warning("Slack's connection is lost; opening a new one")
        except TimeoutError:
            log.warning("Slack's WebSocket cannot be reached; trying again")
        finally:
            tasks += [task for task in (client.current_session_monitor, client.message_receiver) if task]
            await client.close()  # type: ignore[no-untyped-call]
            await asyncio.gather(*tasks, return_exceptions=True)


async def open_address(slack: SlackApi, app_token: str) -> str:
    """Where a WebSocket can be opened, once. Raises `OperatorError`."""
    while True:
        try:
            answer = await slack.call(slack.bare_client.apps_connections_open(app_token=app_token))
            return str(answer["url"])
        except Later as later:
            await asyncio.sleep(later.seconds)
        except Declined as declined:
            raise OperatorError(
                "Slack does not open a connection for app_token ({error}). It needs the scope connections:write, and "
                "Socket Mode switched on; both are on api.slack.com/apps.",
                error=declined.error,
            ) from declined


async def _watch(handler: AsyncSocketModeHandler) -> None:
    """Returns when the client has had no connection for `DEAF_S`."""
    loop = asyncio.get_running_loop()
    heard = loop.time()
    while loop.time() - heard < DEAF_S:
        if await handler.client.is_connected():
            heard = loop.time()
        await asyncio.sleep(WATCH_S)
