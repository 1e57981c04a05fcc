"""Check every half minute whether questions can be answered, and tell the operator and the admins."""

import asyncio
import logging

from bots.conversing.readiness import Readiness
from bots.conversing.services import Services
from bots.tasks.announcer import Announcer
from core.errors import BotError

log = logging.getLogger(__name__)
WATCH_EVERY_SECONDS = 30.0
SENTENCES = {
    "database": "The database does not work, so nothing can be answered: {reason}.",
    "model": "The model does not work, so nothing can be answered: {reason}.",
}


async def keep_watching(services: Services) -> None:
    """Work until cancelled."""
    readiness = Readiness(services.store, services.assistant.stats, services.check_model)
    announcer = Announcer(services.health)
    while True:
        try:
            await check_services(services, readiness)
            await announcer.step()
        except Exception:  # a bug; the next check may work
            log.exception("the service's health could not be checked")
        await asyncio.sleep(WATCH_EVERY_SECONDS)


async def check_services(services: Services, readiness: Readiness) -> None:
    """Record in `services.health` what does not work, or soon will not."""
    reasons = await readiness.reasons()
    for name, sentence in SENTENCES.items():
        services.health.set_notice(name, sentence.format(reason=reasons[name].rstrip(".")) if name in reasons else "")
    if "database" not in reasons:
        try:
            for about, notice in (await services.store.notices()).items():
                services.health.set_notice(about, notice)
        except BotError as error:
            log.warning("the disk could not be checked: %s", error)
