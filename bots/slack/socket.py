"""Receive Slack's events over a WebSocket that the bot opens (Socket Mode), so that no port needs to be open.

Slack ends every connection after a while, with a warning. The SDK then opens the next one, but it can stay deaf while
the process lives: it may try a used-up address for ever, or ask with a revoked token for ever. So this module watches
it, replaces it with growing pauses, and tells the operator what the SDK only logs.
"""

import asyncio
import json
import logging
from functools import partial
from typing import Any

import aiohttp
from slack_bolt.response import BoltResponse
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse

from bots.conversing.backoff import Backoff
from bots.conversing.delivery_errors import RetryLater
from bots.slack.access import Declined
from bots.slack.api import SlackApi
from bots.slack.gateway import Gateway
from core.errors import OperatorError

log = logging.getLogger(__name__)
PING_SECONDS = 5.0  # a connection without a reply to four pings is closed
CONNECT_SECONDS = 6.0  # for a first connection; afterwards its address is used up
DEAF_SECONDS = 3.0  # the SDK's client is replaced after so long without a connection; its own monitor is slower
WATCH_S = 0.5


async def receive(gateway: Gateway, slack: SlackApi, app_token: str) -> None:
    """Work until cancelled. Raises `OperatorError` if Slack refuses the token and never accepted it before."""
    backoff = Backoff()
    while True:
        client = SocketModeClient(app_token, web_client=slack.bare_client, ping_interval=PING_SECONDS)
        await _go_the_way_of(slack, client)
        client.message_listeners.append(partial(_take, gateway))
        tasks = [client.message_processor]
        try:
            client.wss_uri = await open_address(slack, app_token)
            async with asyncio.timeout(CONNECT_SECONDS):
                await client.connect()  # type: ignore[no-untyped-call]
            slack.access.works("way in")
            backoff.reset()
            await _watch(client)
            log.warning("Slack's connection is lost; opening a new one")
        except (TimeoutError, RetryLater):
            slack.access.fails("way in", "Slack cannot be reached.")
            await asyncio.sleep(backoff.next_pause())
        except OperatorError as error:
            if not slack.access.has_worked:
                raise
            slack.access.fails("way in", str(error))
            await asyncio.sleep(backoff.next_pause())
        finally:
            tasks += [task for task in (client.current_session_monitor, client.message_receiver) if task]
            await client.close()  # type: ignore[no-untyped-call]
            await asyncio.gather(*tasks, return_exceptions=True)


async def _go_the_way_of(slack: SlackApi, client: SocketModeClient) -> None:
    """Let the client connect as all else does. Its own session knows no SOCKS proxy, and not NO_PROXY."""
    await client.aiohttp_client_session.close()
    client.aiohttp_client_session = aiohttp.ClientSession(connector=slack.session.connector, connector_owner=False)
    client.proxy = None


async def open_address(slack: SlackApi, app_token: str) -> str:
    """Return an address where a WebSocket can be opened once. Raises `RetryLater`; `OperatorError` for a bad token."""
    try:
        answer = await slack.ask(slack.bare_client.apps_connections_open, app_token=app_token)
        return str(answer["url"])
    except Declined as declined:
        raise OperatorError(
            "Slack does not open a connection for app_token ({error}). It needs the scope connections:write, and "
            "Socket Mode switched on; both are on api.slack.com/apps.",
            error=declined.error,
        ) from declined


async def _take(gateway: Gateway, client: AsyncBaseSocketModeClient, message: dict[str, Any], _: str | None) -> None:
    """Pass on an event. Bolt's own adapter would never acknowledge a message that contains no object."""
    envelope = message.get("envelope_id")
    if isinstance(envelope, str):
        response = await gateway.receive(message.get("payload"))
        if response.status == 200:
            await client.send_socket_mode_response(SocketModeResponse(envelope, _payload(response)))


def _payload(response: BoltResponse) -> dict[str, Any] | None:
    """Return what an acknowledgement carries, such as a window."""
    return dict(json.loads(response.body)) if response.body else None


async def _watch(client: SocketModeClient) -> None:
    """Return when the client has had no connection for `DEAF_SECONDS`."""
    loop = asyncio.get_running_loop()
    heard = loop.time()
    while loop.time() - heard < DEAF_SECONDS:
        if await client.is_connected():
            heard = loop.time()
        await asyncio.sleep(WATCH_S)
