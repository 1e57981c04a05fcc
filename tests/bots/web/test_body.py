"""How slow an upload may be, by a clock of its own."""

import asyncio

import pytest
from starlette.types import Message

from bots.web.body import receive_metered
from bots.web.errors import BodyTooSlow
from core.errors import TooLarge
from core.units import MEGABYTE
from tests import virtual

PATIENCE_SECONDS = 20.0


async def upload(size: int, piece: int, pause_seconds: float) -> int:
    """Receive a body that comes in pieces; returns how much of it arrived."""
    sent = 0

    async def receive() -> Message:
        nonlocal sent
        await asyncio.sleep(pause_seconds)
        sent += piece
        return {"type": "http.request", "body": bytes(piece), "more_body": sent < size}

    metered = receive_metered(receive, PATIENCE_SECONDS, 64 * MEGABYTE, TooLarge("too much"))
    received, more = 0, True
    while more:
        message = await metered()
        received, more = received + len(message["body"]), message["more_body"]
    return received


@pytest.mark.parametrize("piece", [500, 8_000, 64_000])
def test_a_slow_but_steady_upload_arrives(piece: int) -> None:
    """A photo of 4 MB at 8 kB/s takes more than eight minutes."""
    assert virtual.run(upload(4_000_000, piece, piece / 8_000)) >= 4_000_000


@pytest.mark.parametrize(("piece", "pause_seconds"), [(1, 1.0), (100, 0.5), (1_000_000, 30.0)])
def test_an_upload_that_trickles_or_stands_still_is_ended(piece: int, pause_seconds: float) -> None:
    with pytest.raises(BodyTooSlow):
        virtual.run(upload(4_000_000, piece, pause_seconds))
