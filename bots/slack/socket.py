"""Socket Mode: Slack's events over a WebSocket that the bot opens, so that no port needs to be open.

Slack ends every connection after a while, and warns before. The SDK opens the next one, but it has ways to stay deaf
while the process lives: it tries a used-up address for ever, and asks with a revoked token for ever. So this watches it
and begins anew, with growing pauses, and tells the operator what the SDK only logs.
"""

import asyncio
import json
import logging
from functools import partial
from typing import Any

from slack_bolt.response import BoltResponse
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse

from bots.conversing.backoff import Backoff
from bots.conversing.draft import Later
from bots.slack.access import Declined
from bots.slack.api import SlackApi
from bots.slack.gateway import Gateway
from core.errors import OperatorError

log = logging.getLogger(__name__)
PING_S = 5.0  # a connection that does not answer for four of these is given up
CONNECT_S = 6.0  # for a first connection; after that its address is used up
DEAF_S = 3.0  # without a connection for so long, the SDK's client is replaced; its own monitor is slower
WATCH_S = 0.5


async def receive(gateway: Gateway, slack: SlackApi, app_token: str) -> None:
    """Until cancelled. Raises `OperatorError` when Slack does not take the token, unless it took it before."""
    backoff = Backoff()
    while True:
        client = SocketModeClient(app_token, web_client=slack.bare_client, ping_interval=PING_S)
        client.message_listeners.append(partial(_take, gateway))
        tasks = [client.message_processor]
        try:
            client.wss_uri = await open_address(slack, app_token)
            async with asyncio.timeout(CONNECT_S):
                await client.connect()  # type: ignore[no-untyped-call]
            slack.access.works("way in")
            backoff.reset()
            await _watch(client)
            log.warning("Slack's connection is lost; opening a new one")
        except (TimeoutError, Later):
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


async def open_address(slack: SlackApi, app_token: str) -> str:
    """Where a WebSocket can be opened, once. Raises `Later`, or `OperatorError` when the token is not good for it."""
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
    """Bolt's own adapter would leave alone, unacknowledged, what carries no object."""
    envelope = message.get("envelope_id")
    if isinstance(envelope, str):
        response = await gateway.receive(message.get("payload"))
        if response.status == 200:
            await client.send_socket_mode_response(SocketModeResponse(envelope, _payload(response)))


def _payload(response: BoltResponse) -> dict[str, Any] | None:
    """What an acknowledgement carries along, a window for example."""
    return dict(json.loads(response.body)) if response.body else None


async def _watch(client: SocketModeClient) -> None:
    """Returns when the client has had no connection for `DEAF_S`."""
    loop = asyncio.get_running_loop()
    heard = loop.time()
    while loop.time() - heard < DEAF_S:
        if await client.is_connected():
            heard = loop.time()
        await asyncio.sleep(WATCH_S)
