"""What only admins may order: how the service is doing, and who is not answered any more.

Who is blocked gets silence, on every platform: with a sentence for each message they could still fill a chat with the
bot's words, and use up the few writes that a group takes.
"""

import re

import psutil

from bots.conversing.request import Request
from bots.conversing.services import Services
from core.errors import NotAllowed
from core.i18n import Translator

IDS = {
    "telegram": re.compile(r"-?[0-9]{1,20}"),  # negative: of channels and groups, in whose name somebody may write
    "slack": re.compile(r"(?=.{2,30}$)[UW][A-Z0-9]*[0-9][A-Z0-9]*"),
}  # of people
ORDERS = frozenset({"stats", "block", "unblock"})
MEGABYTE = 1 << 20


async def administer(request: Request, services: Services, translator: Translator) -> str:
    """Raises `NotAllowed` for everybody who is no admin."""
    if request.user not in request.admins:
        raise NotAllowed("Only this bot's admins may do that.")
    if request.command == "stats":
        return await _stats(services, translator)
    person = request.text.strip().lstrip("@").upper()
    if not IDS[request.platform].fullmatch(person):  # a name would block nobody
        if request.platform == "telegram":
            return translator.say("Say who, by id: /block 12345, or reply to them with /block.")
        return translator.say("Say who, by id or by a real mention: block U123ABC45.")
    if request.command == "unblock":
        if await services.store.unblock(person):
            return translator.say("{person} is not blocked any more.", person=person)
        return translator.say("{person} was not blocked.", person=person)
    if person in request.admins:
        return translator.say("{person} is an admin and cannot be blocked.", person=person)
    await services.store.block(person)
    return translator.say(
        "{person} is blocked and gets no answer any more. {slash}unblock {person} takes it back.",
        person=person,
        slash=request.slash,
    )


async def _stats(services: Services, translator: Translator) -> str:
    figures = services.figures()
    return translator.say(
        "Answers being written: {running}, waiting: {waiting}\nAnswered today: {answered}\n"
        "Memory: {used} MB used, {free} MB free",
        running=getattr(figures, "running", 0),
        waiting=getattr(figures, "waiting", 0),
        answered=await services.store.answered_today(),
        used=round(psutil.Process().memory_info().rss / MEGABYTE),
        free=round(psutil.virtual_memory().available / MEGABYTE),
    )
