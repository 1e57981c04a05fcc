"""Let admins see how the service is doing, and block people.

Blocked people get silence on every platform. With a sentence for each message they could still fill a chat with the
bot's words, and use up the few writes that a group allows.
"""

import psutil

from bots.conversing.request import CommandResult, Request
from bots.conversing.services import Services
from core.i18n import Translator
from core.units import MEGABYTE


async def stats(_: Request, services: Services, translator: Translator) -> CommandResult:
    figures = services.figures()
    return CommandResult(
        translator.say(
            "Answers being written: {running}, waiting: {waiting}\nAnswered today: {answered}\n"
            "Memory: {used} MB used, {free} MB free",
            running=getattr(figures, "running", 0),
            waiting=getattr(figures, "waiting", 0),
            answered=await services.store.answered_today(),
            used=round(psutil.Process().memory_info().rss / MEGABYTE),
            free=round(psutil.virtual_memory().available / MEGABYTE),
        )
    )


async def block(request: Request, services: Services, translator: Translator) -> CommandResult:
    person = _named(request)
    if person is None:
        return CommandResult(translator.explain(request.platform.whom))
    if person in request.admins:
        return CommandResult(translator.say("{person} is an admin and cannot be blocked.", person=person))
    await services.store.block(person)
    return CommandResult(
        translator.say(
            "{person} is blocked and gets no answer any more. {slash}unblock {person} takes it back.",
            person=person,
            slash=request.platform.prefix,
        )
    )


async def unblock(request: Request, services: Services, translator: Translator) -> CommandResult:
    person = _named(request)
    if person is None:
        return CommandResult(translator.explain(request.platform.whom))
    if await services.store.unblock(person):
        return CommandResult(translator.say("{person} is not blocked any more.", person=person))
    return CommandResult(translator.say("{person} was not blocked.", person=person))


def _named(request: Request) -> str | None:
    """Return the id that an admin wrote, or None for anything else, since a name would block no one."""
    person = request.text.strip().lstrip("@").upper()
    return person if request.platform.person_id.fullmatch(person) else None
