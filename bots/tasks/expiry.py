"""Forget old conversations every hour, but never while the clock is in doubt.

A machine may sleep or be moved in time, so the clock is checked every minute.
"""

import asyncio
import logging

from bots.conversing.health import Health
from bots.conversing.store import Expiry
from core.errors import BotError

log = logging.getLogger(__name__)
EXPIRE_EVERY_SECONDS = 3600.0
LOOK_EVERY_SECONDS = 60.0


async def keep_expiring(expiry: Expiry, health: Health) -> None:
    """Forget old conversations until cancelled."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        if expiry.clock_jumped() or loop.time() >= due:
            begun = loop.time()
            due = begun + EXPIRE_EVERY_SECONDS if await _expire(expiry, health) else begun
        await asyncio.sleep(LOOK_EVERY_SECONDS)


async def _expire(expiry: Expiry, health: Health) -> bool:
    """Return whether it is done for this hour. A database that cannot be used just now is tried at the next look."""
    try:
        removed = await expiry.expire()
    except BotError as error:
        log.warning("nothing could expire: %s", error)
        return False
    except Exception:  # a bug; the next attempt may work
        log.exception("nothing could expire")
    else:
        health.set_notice("clock", expiry.doubt)
        if removed:
            log.info("%s conversations expired", removed)
    return True
